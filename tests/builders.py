"""Builders of nouns for tests: valid by default, each field can be said otherwise."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aerokeep.model.cluster import ClusterConfig, Tag
from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.evidence import Membership, Memberships, MountEvidence, NamespaceEvidence, NodeEvidence, Times
from aerokeep.model.files import VaultFile
from aerokeep.model.instance import AttachedVolume, Instance
from aerokeep.model.inventory import Inventory, InventoryDevice, InventoryVolume, Mount, NodeInventory
from aerokeep.model.plan import BackupPlan, NodePlan, VolumePlan
from aerokeep.model.recovery_point import Cut, NodeCut, Snapshot, SnapshotState
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Asd, Clock, Host, Namespace, StoragePath, Survey

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
POINT = "demo-20261123T120000Z"
DATA_MOUNT = "/opt/aerospike/data"


def at(seconds: float) -> datetime:
    """``seconds`` after noon."""
    return NOON + timedelta(seconds=seconds)


def a_snapshot(
    id: str = "snap-1",  # noqa: A002 - the field's own name
    *,
    completed: bool = False,
    error: str | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> Snapshot:
    """A pending snapshot; ``completed`` or with an ``error`` on demand."""
    state = SnapshotState.ERROR if error else SnapshotState.COMPLETED if completed else SnapshotState.PENDING
    fields: dict[str, Any] = {
        "id": id,
        "volume_id": "vol-a",
        "state": state,
        "progress_percent": 100 if completed else 10,
        "size_gib": 1,
        "encrypted": True,
        "kms_key_id": None,
        "started_at": NOON,
        "state_message": error,
        "tags": {"aerokeep:point": POINT, "aerokeep:run": POINT},
    }
    return Snapshot(**{**fields, **changes})


def a_config(**changes: Any) -> ClusterConfig:  # noqa: ANN401 - any field
    """A cluster that wants ``cluster`` or nothing."""
    fields: dict[str, Any] = {"name": "demo", "tag": Tag(key="aerospike", value="demo")}
    return ClusterConfig(**{**fields, **changes})


def a_run(**changes: Any) -> RunRef:  # noqa: ANN401 - any field
    """A run that holds the lock."""
    fields: dict[str, Any] = {
        "cluster": "demo",
        "journey": "backup",
        "run_id": POINT,
        "epoch": 1,
        "execution": "arn:aws:states:eu-central-1:111122223333:execution:backup:one",
        "started_at": NOON,
    }
    return RunRef(**{**fields, **changes})


def a_clock(**changes: Any) -> Clock:  # noqa: ANN401 - any field
    """A synchronised clock, right to 2 ms."""
    fields: dict[str, Any] = {
        "source": "chronyc",
        "synchronised": True,
        "offset_s": 0.0,
        "error_s": 0.002,
        "at": NOON.timestamp(),
    }
    return Clock(**{**fields, **changes})


def a_path(**changes: Any) -> StoragePath:  # noqa: ANN401 - any field
    """A file on a freezable filesystem on ``vol-a``."""
    fields: dict[str, Any] = {
        "path": f"{DATA_MOUNT}/test.dat",
        "role": "file",
        "index": 0,
        "mount_point": DATA_MOUNT,
        "freezable": True,
        "device": "/dev/nvme1n1",
        "volume_id": "vol-a",
    }
    return StoragePath(**{**fields, **changes})


def a_namespace(**changes: Any) -> Namespace:  # noqa: ANN401 - any field
    """A file-backed namespace."""
    fields: dict[str, Any] = {
        "name": "test",
        "storage": "file",
        "persisted": True,
        "replication_factor": 2,
        "paths": (a_path(),),
    }
    return Namespace(**{**fields, **changes})


def a_survey(
    node_id: str = "A1",
    *,
    peers: Sequence[str] = (),
    namespaces: Sequence[Namespace] | None = None,
    clock: Clock | None = None,
    **asd: Any,  # noqa: ANN401 - any field of asd
) -> Survey:
    """A healthy node of a cluster with ``peers``."""
    server: dict[str, Any] = {
        "running": True,
        "build": "8.1.2.0",
        "edition": "community",
        "node_id": node_id,
        "cluster_name": "demo",
        "cluster_size": len(peers) + 1,
        "cluster_key": "6D268C0BD0C9",
        "uptime_s": 77,
        "peers": tuple(peers),
    }
    return Survey(
        host=Host(hostname=f"host-{node_id.lower()}", python="3.11.7", clock=clock or a_clock()),
        asd=Asd(**{**server, **asd}),
        namespaces=tuple(namespaces if namespaces is not None else (a_namespace(),)),
    )


def an_instance(instance_id: str = "i-1", **changes: Any) -> Instance:  # noqa: ANN401 - any field
    """A running instance with a boot volume, ``vol-a`` with data, and ``vol-x`` with nothing of ours."""

    def volume(volume_id: str, device: str) -> AttachedVolume:
        return AttachedVolume(volume_id=volume_id, device=device, size_gib=1, encrypted=True)

    fields: dict[str, Any] = {
        "instance_id": instance_id,
        "state": "running",
        "private_ip": "10.77.0.11",
        "root_device": "/dev/xvda",
        "volumes": {
            "vol-root": volume("vol-root", "/dev/xvda"),
            "vol-a": volume("vol-a", "/dev/sdf"),
            "vol-x": volume("vol-x", "/dev/sdg"),
        },
        "spec": {},
    }
    return Instance(**{**fields, **changes})


def a_node_plan(number: int = 1, **changes: Any) -> NodePlan:  # noqa: ANN401 - any field
    """Node ``A<number>`` on ``i-<number>`` with one frozen filesystem."""
    volume = VolumePlan(
        volume_id="vol-a",
        device="/dev/sdf",
        size_gib=1,
        encrypted=True,
        kms_key_id=None,
        root=False,
        namespaces=("test",),
    )
    fields: dict[str, Any] = {
        "instance_id": f"i-{number}",
        "private_ip": f"10.77.0.1{number}",
        "node_id": f"A{number}",
        "build": "8.1.2.0",
        "volumes": (volume,),
        "exclude_boot": True,
        "exclude_volume_ids": (),
        "freeze": (DATA_MOUNT,),
        "frozen_namespaces": ("test",),
        "sync_paths": (),
    }
    return NodePlan(**{**fields, **changes})


def a_node_inventory(number: int = 1, **changes: Any) -> NodeInventory:  # noqa: ANN401 - any field
    """Node ``A<number>`` on ``i-<number>``: a file on ``vol-a<number>`` and a boot volume."""
    data = InventoryVolume(
        volume_id=f"vol-a{number}",
        device="/dev/sdf",
        size_gib=1,
        volume_type="gp3",
        encrypted=True,
        tags={},
        namespaces=("test",),
        delete_on_termination=False,
        root=False,
        mount=Mount(point=DATA_MOUNT, fs_type="ext4", options="rw,noatime"),
    )
    boot = data.model_copy(
        update={"volume_id": f"vol-root{number}", "device": "/dev/xvda", "namespaces": (), "root": True, "mount": None}
    )
    fields: dict[str, Any] = {
        "node_id": f"A{number}",
        "instance_id": f"i-{number}",
        "private_ip": f"10.77.0.1{number}",
        "zone": "eu-central-1a",
        "subnet_id": "subnet-1",
        "build": "8.1.2.0",
        "edition": "community",
        "cluster_name": "demo",
        "rack_ids": {"test": 0},
        "replication_factors": {"test": 2},
        "instance_type": "i4i.large",
        "image_id": "ami-1",
        "image_holds_build": True,
        "launch": {
            "ImageId": "ami-1",
            "InstanceType": "i4i.large",
            "Placement": {"AvailabilityZone": "eu-central-1a", "GroupName": "", "Tenancy": "default"},
            "MetadataOptions": {"State": "applied", "HttpTokens": "required"},
            "PrivateDnsNameOptions": {"HostnameType": "ip-name"},
            "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "subnet-1", "Groups": ["sg-1"]}],
            "BlockDeviceMappings": [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True, "SnapshotId": "snap-0"},
                },
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3"}},
            ],
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": "cluster", "Value": "demo"}, {"Key": "aws:autoscaling:groupName", "Value": "x"}],
                }
            ],
        },
        "network_interface_id": f"eni-{number}",
        "mac_address": f"02:00:00:00:00:0{number}",
        "interface_delete_on_termination": False,
        "security_groups": ("sg-1",),
        "root_device": "/dev/xvda",
        "volumes": (data, boot),
        "devices": (
            InventoryDevice(
                namespace="test", path=f"{DATA_MOUNT}/test.dat", role="file", index=0, volume_id=f"vol-a{number}"
            ),
        ),
        "conf": (VaultFile(key="clusters/demo/inventory/r/A1/conf/aerospike.conf", size_bytes=9, sha256="0" * 64),),
        "conf_path": "/etc/aerospike/aerospike.conf",
        "work_directory": "/opt/aerospike",
        "seen_at": NOON,
    }
    return NodeInventory(**{**fields, **changes})


def an_inventory(nodes: int = 3, **changes: Any) -> Inventory:  # noqa: ANN401 - any field
    """A cluster of ``nodes`` nodes, all well."""
    fields: dict[str, Any] = {
        "cluster": "demo",
        "run_id": POINT,
        "taken_at": NOON,
        "nodes": tuple(a_node_inventory(number) for number in range(1, nodes + 1)),
    }
    return Inventory(**{**fields, **changes})


def a_plan(nodes: int = 3, **changes: Any) -> BackupPlan:  # noqa: ANN401 - any field
    """A plan for ``nodes`` nodes that wants ``cluster``."""
    fields: dict[str, Any] = {
        "cluster_key": "6D268C0BD0C9",
        "wanted": Consistency.CLUSTER,
        "shortfall": Shortfall.ABORT,
        "namespaces": ("test",),
        "not_saved": (),
        "nodes": tuple(a_node_plan(number) for number in range(1, nodes + 1)),
        "stop_writes": True,
        "notes": (),
    }
    return BackupPlan(**{**fields, **changes})


def a_cut(requests: Mapping[str, tuple[float, float]]) -> Cut:
    """Cuts by instance id, each with the seconds after noon of its request and its answer."""
    return Cut(
        nodes=tuple(
            NodeCut(
                instance_id=instance_id,
                node_id=instance_id.replace("i-", "A"),
                requested_at=at(begin),
                responded_at=at(end),
                snapshots={"vol-a": f"snap-{instance_id}"},
            )
            for instance_id, (begin, end) in requests.items()
        )
    )


def a_membership(node_id: str, everyone: Sequence[str], **changes: Any) -> Membership:  # noqa: ANN401 - any field
    """The cluster whole, as one node sees it."""
    peers = tuple(other for other in everyone if other != node_id)
    fields: dict[str, Any] = {"key": "6D268C0BD0C9", "size": len(everyone), "uptime_s": 100, "peers": peers}
    return Membership(**{**fields, **changes})


def an_evidence(
    number: int = 1,
    *,
    nodes: int = 3,
    clock: Clock | None = None,
    clocks: Sequence[Clock] | None = None,
    times: Mapping[str, float] | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> NodeEvidence:
    """Evidence of a flawless stop: guarded at 0.1 s, settled from 0.3, quiet at 0.7, thawed at 3.0, lifted at 3.2.

    ``times`` are seconds after noon on the host's own clock.
    """
    everyone = [f"A{n}" for n in range(1, nodes + 1)]
    clock = clock or a_clock()
    told = {
        "armed": -5.0,
        "guard_sent": 0.0,
        "guarded": 0.1,
        "settle_started": 0.3,
        "flushed": 0.6,
        "frozen": 0.7,
        "thaw_started": 3.0,
        "thawed": 3.1,
        "lift_started": 3.1,
        "lifted": 3.2,
        **(times or {}),
    }
    stamped = {name: NOON.timestamp() + seconds for name, seconds in told.items()}
    counters = {"client_write_success": 1000, "writes": 10}
    fields: dict[str, Any] = {
        "run": POINT,
        "token": "0" * 32,
        "node_id": f"A{number}",
        "ended_by": "resume",
        "clocks": tuple(clocks if clocks is not None else (clock, clock)),
        "times": Times(**stamped),
        "guarded_all": True,
        "namespaces": {
            "test": NamespaceEvidence(
                before=counters, after=counters, unchanged=True, unchanged_until=stamped["thaw_started"], flushed=True
            )
        },
        "mounts": {DATA_MOUNT: MountEvidence(frozen=stamped["frozen"], thawed=stamped["thawed"], held=True)},
        "cluster": Memberships(
            before=a_membership(f"A{number}", everyone), after=a_membership(f"A{number}", everyone, uptime_s=103)
        ),
    }
    return NodeEvidence(**{**fields, **changes})
