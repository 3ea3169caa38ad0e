"""The steps of the guardian journey: what each may do and why, how long it may take, how much memory it has."""

from infra.grants import EXPORTS, POINTS, RUNS, StepGrants
from infra.step import Step


def _find_dead_runs(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.list_cluster_parameters()  # without input it looks at every cluster
    may.use_catalog("GetItem")
    may.describe_our_executions()


def _settle_run(may: StepGrants) -> None:
    may.send("resume-writes", "cancel")  # before anything else: no write stop and no job outlives its run
    may.describe("ec2:DescribeSnapshots")  # snapshots are found by their tag, not by what the run remembers
    may.delete_our_snapshots()
    may.use_catalog("GetItem", "PutItem", "UpdateItem")
    may.describe_our_executions()  # once more: a run may have been taken up meanwhile
    may.read_vault(RUNS, POINTS, EXPORTS)
    may.write_vault(POINTS, EXPORTS)  # it competes with CommitPoint and CommitExport for the manifest's key
    may.collect_exports()
    may.publish_failures()  # a halted run waits for a person


def _resume_all(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.use_catalog("GetItem")  # only to keep a halted cluster from being opened by accident
    may.describe_our_executions()  # whose write stop ends early
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", sid="FindInstances")  # by tag, whatever is planned
    may.send("resume-writes")


GUARDIAN = (
    Step("ResumeAll", _resume_all, timeout_s=120),
    Step("FindDeadRuns", _find_dead_runs),
    Step("SettleRun", _settle_run, timeout_s=240),
)
