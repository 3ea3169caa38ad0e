"""What RunInstances asks IAM about: everything that an instance is made of, and the role that is handed to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from moto.iam.models import iam_backends

from tests.permissions.requests import Ask, Params, asked, of_resource, specified
from tests.permissions.rules_ec2 import around, make, on
from tests.permissions.world import World

RUN = "RunInstances"


def run_instances(world: World, params: Params) -> Iterator[Ask]:
    """The instance with its volumes, image, interfaces, network, key pair and placement; then the role."""
    yield from make(world, RUN, "instance", specified(params, "instance"))
    yield on(world, RUN, params["ImageId"])
    yield from _volumes(world, params)
    yield from _network(world, params)
    if name := params.get("KeyName"):
        yield asked(f"ec2:{RUN}", world.ec2("key-pair", name))
    if group := (params.get("Placement") or {}).get("GroupName"):
        yield asked(f"ec2:{RUN}", world.ec2("placement-group", group))
    yield from _role(world, params.get("IamInstanceProfile") or {})


def _volumes(world: World, params: Params) -> Iterator[Ask]:
    yield from make(world, RUN, "volume", specified(params, "volume"))
    snapshots = set(world.image_snapshots(params["ImageId"]))
    keys = set()
    for mapping in params.get("BlockDeviceMappings") or ():
        ebs = mapping.get("Ebs") or {}
        snapshots |= {ebs["SnapshotId"]} if ebs.get("SnapshotId") else set()
        keys |= {ebs["KmsKeyId"]} if ebs.get("KmsKeyId") else set()
    yield from (on(world, RUN, snapshot_id) for snapshot_id in sorted(snapshots))
    for key in sorted(keys | {found for snapshot in snapshots if (found := world.key_of(snapshot))}):
        yield from world.ebs_key(key)


def _network(world: World, params: Params) -> Iterator[Ask]:
    """An interface that exists brings its subnet and its groups with it."""
    for wanted in params.get("NetworkInterfaces") or ():
        interface = world.interface(wanted["NetworkInterfaceId"])
        yield on(world, RUN, wanted["NetworkInterfaceId"])
        if interface is not None:
            groups = [str(group.id) for group in interface.group_set]
            yield from around(world, RUN, str(interface.subnet.id), groups)


def _role(world: World, profile: Mapping[str, Any]) -> Iterator[Ask]:
    wanted = set(profile.values())
    profiles = iam_backends[world.region.account]["aws"].instance_profiles.values()
    for role in [role for found in profiles if {found.arn, found.name} & wanted for role in found.roles]:
        context = {"iam:PassedToService": "ec2.amazonaws.com", **of_resource({})}
        yield asked("iam:PassRole", role.arn, context)
