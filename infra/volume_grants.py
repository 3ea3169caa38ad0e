"""What the roles of steps that make and move EBS volumes may be given."""

from infra.grants import StepGrants
from infra.names import CLUSTER_TAG, ROLLED_BACK_TAG, RUN_TAG, SUPERSEDED_TAG

MARKS = (CLUSTER_TAG, SUPERSEDED_TAG, ROLLED_BACK_TAG)
"""The tags that are put on volumes which exist already; no others, so that no tag of the operator's can be changed."""


def create_volumes(may: StepGrants) -> None:
    """Make volumes of our snapshots, tagged at creation with cluster and run."""
    create_blank_volumes(may)
    of_a_run = {"StringLike": {f"aws:ResourceTag/{RUN_TAG}": "*"}}
    why = "Only snapshots that carry a run of ours match."
    may.allow("CreateFromOurSnapshots", ["ec2:CreateVolume"], [may.snapshots()], of_a_run, why=why)


def create_blank_volumes(may: StepGrants) -> None:
    """Make volumes of nothing, tagged at creation with cluster and run."""
    clusters = {"StringEquals": {f"aws:RequestTag/{CLUSTER_TAG}": may.clusters}}
    tagged = {**clusters, "Null": {f"aws:RequestTag/{RUN_TAG}": "false"}}
    why = "Ids are not known before; the tags of what is made narrow them."
    may.allow("CreateTaggedVolumes", ["ec2:CreateVolume"], [may.volumes()], tagged, why=why)
    at_creation = {"StringEquals": {"ec2:CreateAction": "CreateVolume"}}
    may.allow("TagNewVolumes", ["ec2:CreateTags"], [may.volumes()], at_creation, why="Only what CreateVolume makes.")
    may.use_volume_keys()


def move_volumes(may: StepGrants) -> None:
    """Attach and detach, on the clusters' instances, what carries a cluster's tag: it is put there before."""
    may.on_instances("MoveOnClusterInstances", "ec2:AttachVolume", "ec2:DetachVolume")
    of_a_cluster = {"StringEquals": {f"aws:ResourceTag/{CLUSTER_TAG}": may.clusters}}
    moves = ["ec2:AttachVolume", "ec2:DetachVolume"]
    may.allow("MoveClusterVolumes", moves, [may.volumes()], of_a_cluster, why="Only volumes of a cluster match.")
    may.use_volume_keys()  # the instance is granted the key in the name of whoever attaches


def mark_volumes(may: StepGrants, *actions: str) -> None:
    """Put our marks on volumes, or take them away."""
    ours = {"ForAllValues:StringEquals": {"aws:TagKeys": list(MARKS)}}
    why = "Operators need not tag volumes; only our own marks can be written."
    may.allow("MarkVolumes", [f"ec2:{action}" for action in actions], [may.volumes()], ours, why=why)


def delete_our_leftovers(may: StepGrants) -> None:
    """Delete volumes and interfaces that a run of ours made, and that no run has put aside."""
    of_a_run = {"StringLike": {f"aws:ResourceTag/{RUN_TAG}": "*"}}
    kept = {"Null": {f"aws:ResourceTag/{mark}": "true" for mark in (SUPERSEDED_TAG, ROLLED_BACK_TAG)}}
    why = "Only what carries a run of ours matches."
    may.allow("DeleteOurVolumes", ["ec2:DeleteVolume"], [may.volumes()], {**of_a_run, **kept}, why=why)
    may.allow("DeleteOurInterfaces", ["ec2:DeleteNetworkInterface"], [may.interfaces()], of_a_run, why=why)
