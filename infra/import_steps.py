"""The steps of the import journey: what each may do and why."""

from infra.grants import EXPORTS, RUNS, StepGrants
from infra.step import Step


def _acquire_lock(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.use_catalog("GetItem", "UpdateItem")
    may.read_vault(RUNS, EXPORTS)  # RUNS: what a halted run was asked; EXPORTS: the manifest
    may.write_vault(RUNS)


def _survey_cluster(may: StepGrants) -> None:
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.send("health", "status", "survey")  # survey tells racks
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _plan_import(may: StepGrants) -> None:
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _run_import(may: StepGrants) -> None:
    may.send("import", "status")
    may.use_catalog("GetItem")  # is the lock still this run's?
    may.read_vault(RUNS)  # hosts read their orders by an address that carries the rights of this role
    may.write_vault(RUNS)


def _check_import(may: StepGrants) -> None:
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", sid="FindInstances")
    may.send("health")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _release_lock(may: StepGrants) -> None:
    may.use_catalog("UpdateItem")
    may.read_vault(RUNS)


def _halt_import(may: StepGrants) -> None:
    may.use_catalog("GetItem", "UpdateItem")
    may.read_vault(RUNS)  # was anything written?


IMPORT = (
    Step("AcquireLock", _acquire_lock),
    Step("SurveyCluster", _survey_cluster),
    Step("PlanImport", _plan_import),
    Step("RunImport", _run_import),
    Step("CheckImport", _check_import),
    Step("ReleaseLock", _release_lock),
    Step("HaltImport", _halt_import),
)
