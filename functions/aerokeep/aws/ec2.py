"""EC2: instances by tag, the cut, and the snapshots of a run."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError, HTTPClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, known, translated
from aerokeep.aws.filters import portions
from aerokeep.aws.tags import tag_list, tag_map
from aerokeep.model.cluster import Tag
from aerokeep.model.errors import AerokeepError
from aerokeep.model.instance import AttachedVolume, Instance
from aerokeep.model.plan import NodePlan
from aerokeep.model.recovery_point import Snapshot, SnapshotState
from aerokeep.model.run import RunRef

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef, SnapshotTypeDef, VolumeTypeDef

RUN_TAG, TRY_TAG = "aerokeep:run", "aerokeep:try"
_LIVE = ("pending", "running", "stopping", "stopped", "shutting-down")
_LOCKED = ("compliance", "governance", "compliance-cooloff")
"""States of a snapshot lock in which it can't be deleted; the fourth one is ``expired``."""
_SPEC_FIELDS = (
    "InstanceType",
    "ImageId",
    "KeyName",
    "SubnetId",
    "VpcId",
    "PrivateIpAddress",
    "IamInstanceProfile",
    "Placement",
    "NetworkInterfaces",
    "SecurityGroups",
    "Tags",
    "EbsOptimized",
    "MetadataOptions",
    "BlockDeviceMappings",
)


class Instances:
    """The instances of a cluster as EC2 sees them."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def of_tag(self, tag: Tag) -> list[Instance]:
        """Every instance with the tag that is not gone, with its volumes; terminated ones don't count."""
        filters: list[FilterTypeDef] = [
            {"Name": f"tag:{tag.key}", "Values": [tag.value]},
            {"Name": "instance-state-name", "Values": list(_LIVE)},
        ]
        with translated("DescribeInstances"):
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            found = [i for page in pages for r in page["Reservations"] for i in r.get("Instances", [])]
        volumes = self._volumes([str(instance["InstanceId"]) for instance in found])
        return [_instance(instance, volumes.get(str(instance["InstanceId"]), {})) for instance in found]

    def _volumes(self, instance_ids: list[str]) -> dict[str, dict[str, AttachedVolume]]:
        by_instance: dict[str, dict[str, AttachedVolume]] = {}
        for portion in portions(instance_ids):
            for volume in self._attached_to(portion):
                for attachment in volume.get("Attachments", []):
                    by_instance.setdefault(str(attachment.get("InstanceId")), {})[str(volume["VolumeId"])] = (
                        AttachedVolume(
                            volume_id=str(volume["VolumeId"]),
                            device=str(attachment.get("Device")),
                            size_gib=int(volume["Size"]),
                            encrypted=bool(volume.get("Encrypted")),
                            kms_key_id=volume.get("KmsKeyId"),
                        )
                    )
        return by_instance

    def _attached_to(self, instance_ids: list[str]) -> "list[VolumeTypeDef]":
        with translated("DescribeVolumes"):
            pages = self._ec2.get_paginator("describe_volumes").paginate(
                Filters=[{"Name": "attachment.instance-id", "Values": instance_ids}]
            )
            return [volume for page in pages for volume in page["Volumes"]]


def _instance(raw: "InstanceTypeDef", volumes: dict[str, AttachedVolume]) -> Instance:
    fields: Mapping[str, Any] = raw
    return Instance(
        instance_id=str(raw["InstanceId"]),
        state=str(raw["State"]["Name"]),
        private_ip=str(raw.get("PrivateIpAddress", "")),
        root_device=str(raw.get("RootDeviceName", "")),
        volumes=volumes,
        spec={name: fields[name] for name in _SPEC_FIELDS if name in fields},
    )


class DoubtfulCutError(Exception):
    """No clear answer came: the set may or may not exist. Look up by tag; never call again blindly."""

    def __init__(self, detail: str, *, answered: bool) -> None:
        super().__init__(detail)
        self.answered = answered
        """AWS said something, such as that it is overloaded."""


class RefusedCutError(Exception):
    """AWS said no: there is no set."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Cutter:
    """CreateSnapshots: one attempt, since it has no ClientToken and a second call makes a second set (aws.md §0.1)."""

    def __init__(self, connect: "Callable[[], EC2Client]") -> None:
        self._connect = connect
        self._shared = connect()
        self._lines: list[EC2Client] = []
        self._line_of: dict[str, EC2Client] = {}

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(lambda: client("ec2", attempts=1, read_timeout_s=20))

    def prepare(self, instance_ids: Iterable[str], *, may_go_on: Callable[[], bool]) -> None:
        """Give each instance a line of its own, while there is time; the others share one.

        A pool can't be warmed for certain: a connection that answers quickly is taken for the next call too, and at the
        cut, when all are needed at once, the others would still have to be opened.
        """
        self._line_of = {}
        for number, instance_id in enumerate(instance_ids):
            if number == len(self._lines):
                if not may_go_on():
                    break
                self._lines.append(self._connect())
            self._line_of[instance_id] = self._lines[number]

    def warm(self, instance_id: str) -> str | None:
        """Open the instance's line and sign one call, so that the cut waits for neither → why it failed, or None."""
        try:
            with known(), translated("DescribeInstances"):
                self._line(instance_id).describe_instances(InstanceIds=[instance_id])
        except AerokeepError as error:
            return str(error)
        return None

    def _line(self, instance_id: str) -> "EC2Client":
        return self._line_of.get(instance_id, self._shared)

    def cut(self, node: NodePlan, *, tags: Mapping[str, str]) -> dict[str, str]:
        """Cut all planned volumes of one instance at one instant → volume id → snapshot id.

        Raises:
            DoubtfulCutError: timeout, broken connection, throttle or server fault.
            RefusedCutError: any other answer of AWS.

        """
        try:
            reply = self._line(node.instance_id).create_snapshots(
                InstanceSpecification={
                    "InstanceId": node.instance_id,
                    "ExcludeBootVolume": node.exclude_boot,
                    "ExcludeDataVolumeIds": list(node.exclude_volume_ids),
                },
                Description=f"Aerokeep {tags.get('aerokeep:point', '')}",
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": tag_list(tags)}],
            )
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if status >= 500:  # noqa: PLR2004 - HTTP: the server does not know either
                raise DoubtfulCutError(f"{code_of(error)}: {error}", answered=True) from error
            raise RefusedCutError(code_of(error), str(error)) from error
        except HTTPClientError as error:
            raise DoubtfulCutError(str(error), answered=False) from error
        return {str(s["VolumeId"]): str(s["SnapshotId"]) for s in reply["Snapshots"]}


class Snapshots:
    """The snapshots of runs and points, found by our tags."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def of_run(self, run_id: str) -> list[Snapshot]:
        """All snapshots that carry the run's tag; paged, always filtered (a bare Describe has a smaller bucket)."""
        return self._found({f"tag:{RUN_TAG}": [run_id]})

    def of_try(self, run: RunRef) -> list[Snapshot]:
        """Those of one try of a run."""
        return self._found({f"tag:{RUN_TAG}": [run.run_id], f"tag:{TRY_TAG}": [str(run.try_number)]})

    def pending(self) -> list[Snapshot]:
        """All of the account that are not complete yet: one that was begun lately is among them."""
        return self._found({"status": ["pending"]})

    def of_any_run(self) -> list[Snapshot]:
        """All snapshots that any run has made."""
        return self._found({"tag-key": ["aerokeep:run"]})

    def locked(self) -> set[str]:
        """Which snapshots of this account nobody can delete for now."""
        found: set[str] = set()
        token: dict[str, Any] = {}
        while True:
            with translated("DescribeLockedSnapshots"):
                reply = self._ec2.describe_locked_snapshots(
                    Filters=[{"Name": "lock-state", "Values": list(_LOCKED)}], **token
                )
            found |= {str(entry["SnapshotId"]) for entry in reply["Snapshots"]}
            if not reply.get("NextToken"):
                return found
            token = {"NextToken": reply["NextToken"]}

    def described(self, snapshot_ids: Iterable[str]) -> list[Snapshot]:
        """Those of the snapshots that exist, whatever they are tagged with."""
        # A filter, not SnapshotIds: one unknown id would fail the whole call.
        return [found for portion in portions(snapshot_ids) for found in self._found({"snapshot-id": portion})]

    def _found(self, filters: Mapping[str, list[str]]) -> list[Snapshot]:
        with translated("DescribeSnapshots"):
            pages = self._ec2.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"],
                Filters=[{"Name": name, "Values": values} for name, values in filters.items()],
                PaginationConfig={"PageSize": 200},
            )
            return [_snapshot(raw) for page in pages for raw in page["Snapshots"]]

    def tag(self, snapshot_ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Add tags; the same tags again change nothing."""
        with translated("CreateTags"):
            self._ec2.create_tags(Resources=sorted(snapshot_ids), Tags=tag_list(tags))

    def delete(self, snapshot_id: str) -> None:
        """Delete one snapshot; one that is gone already counts as deleted."""
        with translated("DeleteSnapshot"):
            try:
                self._ec2.delete_snapshot(SnapshotId=snapshot_id)
            except ClientError as error:
                if code_of(error) != "InvalidSnapshot.NotFound":
                    raise


def _snapshot(raw: "SnapshotTypeDef") -> Snapshot:
    return Snapshot(
        id=str(raw["SnapshotId"]),
        volume_id=str(raw["VolumeId"]),
        state=SnapshotState(raw["State"]),
        progress_percent=int(str(raw.get("Progress") or "0").rstrip("%") or 0),
        size_gib=int(raw["VolumeSize"]),
        encrypted=bool(raw.get("Encrypted")),
        kms_key_id=raw.get("KmsKeyId"),
        started_at=raw["StartTime"],
        state_message=raw.get("StateMessage"),
        tags=tag_map(raw.get("Tags")),
    )
