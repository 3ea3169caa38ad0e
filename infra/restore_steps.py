"""The steps of the restore journey: what each may do and why, how long it may take."""

from infra.compute_grants import ComputeGrants
from infra.grants import INVENTORY, POINTS, RUNS, StepGrants
from infra.step import Step
from infra.volume_grants import create_volumes, mark_volumes, move_volumes


def _acquire_lock(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.use_catalog("GetItem", "UpdateItem")  # take the lock, or take over one that was halted
    may.read_vault(RUNS)  # how far did the halted run get?
    may.write_vault(RUNS)


def _survey_cluster(may: StepGrants) -> None:
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.send("survey")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _plan_restore(may: StepGrants) -> None:
    may.describe("ec2:DescribeSnapshots", "ec2:DescribeVolumes")  # the point against what AWS holds
    may.read_vault(RUNS, POINTS)
    may.write_vault(RUNS)


def _relaunch_nodes(may: ComputeGrants) -> None:
    may.relaunch_nodes()
    may.send("survey")  # a server that could start must not get volumes
    may.use_catalog("GetItem")
    may.read_vault(RUNS, POINTS)  # POINTS: what the instances were like
    may.write_vault(RUNS)


def _ask(may: StepGrants, *verbs: str, read: tuple[str, ...] = (RUNS,)) -> None:
    may.send(*verbs)
    may.use_catalog("GetItem")  # is the lock still this run's? before each command
    may.read_vault(*read)
    may.write_vault(RUNS)


def _fence_cluster(may: StepGrants) -> None:
    _ask(may, "stop")


def _create_volumes(may: StepGrants) -> None:
    create_volumes(may)
    may.describe("ec2:DescribeVolumes")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _swap_volumes(may: StepGrants) -> None:
    mark_volumes(may, "CreateTags")  # the old ones are told apart before anything moves
    move_volumes(may)
    may.describe("ec2:DescribeVolumes")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _stage_nodes(may: StepGrants) -> None:
    _ask(may, "stage", read=(RUNS, POINTS))  # hosts fetch SMD and conf with the rights of this role


def _start_cluster(may: StepGrants) -> None:
    _ask(may, "start")


def _look(may: StepGrants) -> None:
    may.send("health")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _open_writes(may: StepGrants) -> None:
    _ask(may, "open-writes")


def _release_lock(may: StepGrants) -> None:
    may.use_catalog("GetItem", "UpdateItem")
    may.read_vault(RUNS, POINTS)
    may.write_vault(INVENTORY)  # from now on a node would be replaced with the volumes that it has now


def _roll_back(may: StepGrants) -> None:
    may.send("stop", "stage", "start")
    mark_volumes(may, "CreateTags", "DeleteTags")
    move_volumes(may)
    may.describe("ec2:DescribeVolumes")
    may.use_catalog("GetItem", "UpdateItem")  # before each act; in the end let the cluster go
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _halt_restore(may: StepGrants) -> None:
    may.use_catalog("GetItem", "UpdateItem")


RESTORE = (
    Step("AcquireLock", _acquire_lock),
    Step("SurveyCluster", _survey_cluster),
    Step("PlanRestore", _plan_restore),
    Step("RelaunchNodes", _relaunch_nodes),
    Step("FenceCluster", _fence_cluster),
    Step("CreateVolumes", _create_volumes),
    Step("SwapVolumes", _swap_volumes),
    Step("StageNodes", _stage_nodes),
    Step("StartCluster", _start_cluster),
    Step("CheckCluster", _look),
    Step("OpenWrites", _open_writes),
    Step("VerifyRestore", _look),
    Step("ReleaseLock", _release_lock),
    Step("RollBack", _roll_back),
    Step("HaltRestore", _halt_restore),
)
