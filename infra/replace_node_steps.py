"""The steps of the replace-node journey: what each may do and why."""

from infra.compute_grants import ComputeGrants
from infra.grants import INVENTORY, INVENTORY_FILES, POINTS, RUNS, StepGrants
from infra.step import Step
from infra.volume_grants import create_blank_volumes, mark_volumes, move_volumes


def _acquire_lock(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.use_catalog("GetItem", "UpdateItem")  # take the lock, or take over one that was halted
    may.read_vault(RUNS, INVENTORY)  # which instance is the node? did the halted run know it?
    may.write_vault(RUNS)


def _diagnose_node(may: ComputeGrants) -> None:
    may.describe(
        "ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ssm:DescribeInstanceInformation", sid="Diagnose"
    )
    may.send("health")
    may.use_catalog("GetItem")  # when was the last replacement?
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _protect_node(may: ComputeGrants) -> None:
    may.describe(
        "ec2:DescribeInstances",
        "ec2:DescribeVolumes",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeImages",
        sid="LookAtBelongings",
    )
    may.keep_volumes_and_interfaces()
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _fence_node(may: ComputeGrants) -> None:
    may.fence_nodes()
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _relaunch_node(may: ComputeGrants) -> None:
    may.relaunch_nodes()
    may.send("survey")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _attach_volumes(may: StepGrants) -> None:
    create_blank_volumes(may)  # where the node is to begin empty
    mark_volumes(may, "CreateTags")
    move_volumes(may)
    may.describe("ec2:DescribeVolumes")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _stage_node(may: StepGrants) -> None:
    may.send("stage")
    may.use_catalog("GetItem")
    may.read_vault(RUNS, POINTS, INVENTORY_FILES)  # the host fetches its conf with the rights of this role
    may.write_vault(RUNS)


def _start_node(may: StepGrants) -> None:
    may.send("start")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _check_node(may: ComputeGrants) -> None:
    may.send("open-writes", "health", "survey")
    may.protect_nodes()
    may.watch_nodes()
    may.use_catalog("GetItem", "PutItem")  # PutItem: the cluster cools down from now on
    may.read_vault(RUNS)
    may.write_vault(RUNS, INVENTORY)


def _release_lock(may: StepGrants) -> None:
    may.use_catalog("UpdateItem")
    may.read_vault(RUNS)


def _halt_replacement(may: StepGrants) -> None:
    may.use_catalog("GetItem", "UpdateItem")
    may.read_vault(RUNS)  # had it begun to fence?


REPLACE_NODE = (
    Step("AcquireLock", _acquire_lock),
    Step("DiagnoseNode", _diagnose_node),
    Step("ProtectNode", _protect_node),
    Step("FenceNode", _fence_node),
    Step("RelaunchNode", _relaunch_node),
    Step("AttachVolumes", _attach_volumes),
    Step("StageNode", _stage_node),
    Step("StartNode", _start_node),
    Step("CheckNode", _check_node),
    Step("ReleaseLock", _release_lock),
    Step("HaltReplacement", _halt_replacement),
)
