"""Builders of what a restore is judged by: a committed point of three nodes, and the estate that it fits."""

from typing import Any

from aerokeep.model.consistency import Consistency, Label
from aerokeep.model.instance import AttachedVolume, Instance
from aerokeep.model.inventory import Inventory, InventoryDevice, InventoryVolume, NodeInventory
from aerokeep.model.plan import NodePlan, VolumePlan
from aerokeep.model.recovery_point import Manifest, NodeCut, Snapshot
from aerokeep.model.survey import Header, Survey, Unit
from aerokeep.model.volume import Attachment, Volume
from aerokeep.rules.restore_plan import Contents, Estate

from tests.builders import NOON, POINT, a_config, a_namespace, a_path, a_plan, a_snapshot, a_survey, at

ZONE = "eu-central-1a"
NUMBERS = (1, 2, 3)
DEVICES = ("/dev/sdg", "/dev/sdh")
NAMESPACE = "raw"


def volume_id(number: int, device: str) -> str:
    """The volume of a node under a device name."""
    return f"vol-{number}{device[-1]}"


def a_header(number: int, position: int, **changes: Any) -> Header:  # noqa: ANN401 - any field
    """One of the two headers of a node's set."""
    fields: dict[str, Any] = {
        "version": 4,
        "namespace": NAMESPACE,
        "n_devices": len(DEVICES),
        "random": f"{number:016x}",
        "device_id": position,
        "write_block_size_bytes": 8 << 20,
        "trusted": False,
    }
    return Header(**{**fields, **changes})


def a_node(number: int, **changes: Any) -> NodeInventory:  # noqa: ANN401 - any field
    """Node ``A<number>`` with one namespace on two raw volumes."""
    fields: dict[str, Any] = {
        "node_id": f"A{number}",
        "instance_id": f"i-{number}",
        "private_ip": f"10.77.0.1{number}",
        "zone": ZONE,
        "subnet_id": "subnet-1",
        "build": "8.1.2.0",
        "edition": "community",
        "rack_ids": {},
        "instance_type": "m5.large",
        "image_id": "ami-1",
        "image_holds_build": True,
        "launch": {},
        "network_interface_id": f"eni-{number}",
        "mac_address": f"02:00:00:00:00:0{number}",
        "interface_delete_on_termination": False,
        "security_groups": ("sg-1",),
        "root_device": "/dev/xvda",
        "volumes": tuple(
            InventoryVolume(
                volume_id=volume_id(number, device),
                device=device,
                size_gib=1,
                volume_type="gp3",
                encrypted=True,
                tags={},
                namespaces=(NAMESPACE,),
                delete_on_termination=False,
                root=False,
            )
            for device in DEVICES
        ),
        "devices": tuple(a_device(number, position) for position in range(len(DEVICES))),
        "conf": (),
    }
    return NodeInventory(**{**fields, **changes})


def a_device(number: int, position: int, **changes: Any) -> InventoryDevice:  # noqa: ANN401 - any field
    """One of the two devices of a node."""
    fields: dict[str, Any] = {
        "namespace": NAMESPACE,
        "path": f"/dev/nvme{position + 1}n1",
        "role": "device",
        "index": position,
        "volume_id": volume_id(number, DEVICES[position]),
        "header": a_header(number, position),
        "size_bytes": 1 << 30,
    }
    return InventoryDevice(**{**fields, **changes})


def snapshot_id(number: int, device: str) -> str:
    """The snapshot of a node's volume."""
    return f"snap-{number}{device[-1]}"


def the_snapshots(**changes: Any) -> list[Snapshot]:  # noqa: ANN401 - any field
    """All snapshots of the point, as AWS has them."""
    return [
        a_snapshot(snapshot_id(number, device), completed=True, volume_id=volume_id(number, device), **changes)
        for number in NUMBERS
        for device in DEVICES
    ]


def _cut(number: int) -> NodeCut:
    snapshots = {volume_id(number, device): snapshot_id(number, device) for device in DEVICES}
    return NodeCut(
        instance_id=f"i-{number}", node_id=f"A{number}", requested_at=at(1), responded_at=at(2), snapshots=snapshots
    )


def _node_plan(number: int) -> NodePlan:
    volumes = tuple(
        VolumePlan(
            volume_id=volume_id(number, device),
            device=device,
            size_gib=1,
            encrypted=True,
            kms_key_id=None,
            root=False,
            namespaces=(NAMESPACE,),
        )
        for device in DEVICES
    )
    return NodePlan(
        instance_id=f"i-{number}",
        private_ip=f"10.77.0.1{number}",
        node_id=f"A{number}",
        build="8.1.2.0",
        volumes=volumes,
        exclude_boot=True,
        exclude_volume_ids=(),
        freeze=(),
        frozen_namespaces=(),
        sync_paths=(),
    )


def a_manifest(*, nodes: tuple[NodeInventory, ...] | None = None, **changes: Any) -> Manifest:  # noqa: ANN401 - any field
    """A committed point of three nodes."""
    inventory = nodes if nodes is not None else tuple(a_node(number) for number in NUMBERS)
    fields: dict[str, Any] = {
        "point_id": POINT,
        "cluster": a_config(),
        "execution": "arn:aws:states:eu-central-1:111122223333:execution:backup:one",
        "started_at": NOON,
        "committed_at": at(60),
        "label": Label(consistency=Consistency.CLUSTER, reasons=(), namespaces=(NAMESPACE,), write_stop_s=2.0),
        "first_request": at(1),
        "last_response": at(2),
        "plan": a_plan(namespaces=(NAMESPACE,)).model_copy(update={"nodes": tuple(_node_plan(n) for n in NUMBERS)}),
        "window": None,
        "cuts": tuple(_cut(number) for number in NUMBERS),
        "snapshots": tuple(the_snapshots()),
        "files": (),
        "evidence_key": f"clusters/demo/points/{POINT}/evidence.json",
        "instances": {},
        "builds": {f"A{number}": "8.1.2.0" for number in NUMBERS},
        "inventory": Inventory(cluster="demo", run_id=POINT, taken_at=NOON, nodes=inventory),
    }
    return Manifest(**{**fields, **changes})


def the_instance(number: int, **changes: Any) -> Instance:  # noqa: ANN401 - any field
    """The instance of a node, as it was at the backup."""
    volumes = {
        volume_id(number, device): AttachedVolume(
            volume_id=volume_id(number, device), device=device, size_gib=1, encrypted=True
        )
        for device in DEVICES
    }
    fields: dict[str, Any] = {
        "instance_id": f"i-{number}",
        "state": "running",
        "private_ip": f"10.77.0.1{number}",
        "root_device": "/dev/xvda",
        "volumes": volumes,
        "spec": {"Placement": {"AvailabilityZone": ZONE}},
    }
    return Instance(**{**fields, **changes})


def the_survey(number: int, *, calls_itself: str = "", **asd: Any) -> Survey:  # noqa: ANN401 - any field of asd
    """What the node's host says."""
    paths = tuple(
        a_path(
            path=f"/dev/nvme{position + 1}n1",
            role="device",
            index=position,
            volume_id=volume_id(number, device),
            mount_point=None,
            size_bytes=1 << 30,
            header=a_header(number, position),
        )
        for position, device in enumerate(DEVICES)
    )
    namespace = a_namespace(name=NAMESPACE, storage="device", paths=paths)
    unit = Unit(active="active", masked=False, first_start=False, enabled=True)
    return a_survey(calls_itself or f"A{number}", namespaces=[namespace], **{"unit": unit, **asd})


def a_volume(name: str, **changes: Any) -> Volume:  # noqa: ANN401 - any field
    """A volume that is attached nowhere."""
    fields: dict[str, Any] = {
        "volume_id": name,
        "state": "available",
        "zone": ZONE,
        "size_gib": 1,
        "volume_type": "gp3",
        "encrypted": True,
        "tags": {},
    }
    return Volume(**{**fields, **changes})


def an_estate(**changes: Any) -> Estate:  # noqa: ANN401 - any field
    """The cluster as it was at the backup, alive."""
    volumes = {
        volume_id(number, device): a_volume(
            volume_id(number, device),
            state="in-use",
            attachment=Attachment(instance_id=f"i-{number}", device=device, state="attached"),
        )
        for number in NUMBERS
        for device in DEVICES
    }
    fields: dict[str, Any] = {
        "instances": tuple(the_instance(number) for number in NUMBERS),
        "surveys": {f"i-{number}": the_survey(number) for number in NUMBERS},
        "volumes": volumes,
        "used_gib": {"gp3": 6},
    }
    return Estate(**{**fields, **changes})


NO_CONTENTS = Contents(smd=(), expected=(), indexes=(), udfs=())
