"""The steps of the export journey: what each may do and why, how long it may take."""

from infra.grants import EXPORTS, RUNS, StepGrants
from infra.step import Step


def _acquire_lock(may: StepGrants) -> None:
    may.read_cluster_parameters()  # the run keeps the configuration that it starts with
    may.use_catalog("GetItem", "PutItem", "UpdateItem")  # a duplicate, a restore under way; the id; the lock
    may.write_vault(RUNS)


def _find_runners(may: StepGrants) -> None:
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.send("health", "status", "survey")  # survey tells racks
    _follow(may)


def _estimate_export(may: StepGrants) -> None:
    may.send("export", "status")
    _follow(may)


def _plan_export(may: StepGrants) -> None:
    may.read_vault(RUNS)  # it decides on what earlier steps wrote down, and asks nobody
    may.write_vault(RUNS)


def _stop_writes(may: StepGrants) -> None:
    may.send("stop-writes", "resume-writes")  # no-go: tombstones for hosts that were armed
    may.use_catalog("UpdateItem")  # busy_until, if the lock is still this run's
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _run_export(may: StepGrants) -> None:
    may.send("export", "status")
    _follow(may)


def _resume_writes(may: StepGrants) -> None:
    may.send("resume-writes")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _verify_export(may: StepGrants) -> None:
    may.send("import", "status")  # the verb that reads exports
    may.use_catalog("GetItem")
    may.read_vault(RUNS, EXPORTS)  # the lists of files
    may.write_vault(RUNS)


def _commit_export(may: StepGrants) -> None:
    may.use_catalog("GetItem", "PutItem")  # the lock; the index of exports
    may.read_vault(RUNS, EXPORTS)  # EXPORTS: who took the manifest's key?
    may.write_vault(EXPORTS)  # the manifest, written last and once


def _release_lock(may: StepGrants) -> None:
    may.use_catalog("UpdateItem")
    may.read_vault(EXPORTS)
    may.collect_exports()  # of hosts that could not be told when an earlier export was given up


def _abandon_export(may: StepGrants) -> None:
    may.send("cancel", "resume-writes")
    may.use_catalog("GetItem", "PutItem", "UpdateItem")
    may.read_vault(RUNS, EXPORTS)
    may.write_vault(EXPORTS)  # it competes with CommitExport for the manifest's key
    may.collect_exports()


def _follow(may: StepGrants) -> None:
    may.use_catalog("GetItem")  # is the lock still this run's?
    may.read_vault(RUNS)  # hosts read their orders by an address that carries the rights of this role
    may.write_vault(RUNS)


EXPORT = (
    Step("AcquireLock", _acquire_lock),
    Step("FindRunners", _find_runners),
    Step("EstimateExport", _estimate_export),
    Step("PlanExport", _plan_export),
    Step("StopWrites", _stop_writes, timeout_s=180),
    Step("RunExport", _run_export),
    Step("ResumeWrites", _resume_writes, timeout_s=120),
    Step("VerifyExport", _verify_export),
    Step("CommitExport", _commit_export),
    Step("ReleaseLock", _release_lock),
    Step("AbandonExport", _abandon_export),
)
