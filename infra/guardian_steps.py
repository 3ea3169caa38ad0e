"""The steps of the guardian journey: what each may do and why, how long it may take, how much memory it has."""

from infra.grants import EXPORTS, INVENTORY, POINTS, RUNS, StepGrants
from infra.step import Step
from infra.volume_grants import delete_our_leftovers


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


def _look_for_orphans(may: StepGrants) -> None:
    of_ours = ["ec2:DescribeSnapshots", "ec2:DescribeLockedSnapshots", "ec2:DescribeVolumes"]
    may.describe(*of_ours, "ec2:DescribeNetworkInterfaces", sid="FindWhatRunsMade")  # by their tags
    may.describe_our_executions()
    may.read_vault(RUNS, POINTS, INVENTORY)  # what a manifest or the inventory names is needed


def _find_orphans(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.list_cluster_parameters()
    _look_for_orphans(may)
    may.use_catalog("GetItem")


def _settle_orphans(may: StepGrants) -> None:
    _look_for_orphans(may)  # once more: a point may have been committed meanwhile
    may.use_catalog("GetItem", "PutItem")
    may.write_vault(POINTS)  # a point is closed before its snapshots go: CommitPoint competes for the same key
    may.delete_our_snapshots()
    delete_our_leftovers(may)


GUARDIAN = (
    Step("ResumeAll", _resume_all, timeout_s=120),
    Step("FindDeadRuns", _find_dead_runs),
    Step("SettleRun", _settle_run, timeout_s=240),
    Step("FindOrphans", _find_orphans, timeout_s=300),
    Step("SettleOrphans", _settle_orphans, timeout_s=300),
)
