"""EBS volumes: make them from snapshots, move them between instances, and say what they are for."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, translated
from aerokeep.aws.filters import portions
from aerokeep.aws.tags import tag_list, tag_map
from aerokeep.model.volume import Attachment, NewVolume, Volume

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import VolumeTypeDef

PROVISIONED_IOPS = frozenset({"gp3", "io1", "io2"})
"""Types for which CreateVolume takes Iops; for gp2 it is what the size gives, and saying it is refused."""


class Volumes:
    """Every act can be done twice: a second attach or detach finds the first one's work."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def described(self, volume_ids: Iterable[str]) -> dict[str, Volume]:
        """The volumes that exist, by id; one that is gone is left out."""
        # A filter, not VolumeIds: one unknown id would fail the whole call.
        return self._found("volume-id", volume_ids)

    def of_run(self, run_id: str) -> dict[str, Volume]:
        """All volumes that a run made, by id."""
        return self._found("tag:aerokeep:run", [run_id])

    def of_any_run(self) -> dict[str, Volume]:
        """All volumes that any run has made, by id."""
        return self._found("tag-key", ["aerokeep:run"])

    def delete(self, volume_id: str) -> None:
        """Delete one; one that is gone already counts as deleted. AWS refuses one that is attached."""
        with translated("DeleteVolume"):
            try:
                self._ec2.delete_volume(VolumeId=volume_id)
            except ClientError as error:
                if code_of(error) != "InvalidVolume.NotFound":
                    raise

    def of_instances(self, instance_ids: Iterable[str]) -> dict[str, Volume]:
        """All volumes attached to the instances (or on their way), by id."""
        return self._found("attachment.instance-id", instance_ids)

    def used_gib(self, volume_types: Iterable[str]) -> dict[str, int]:
        """What all volumes of each type in this account and Region hold."""
        used: dict[str, int] = {}
        for volume in self._found("volume-type", volume_types).values():
            used[volume.volume_type] = used.get(volume.volume_type, 0) + volume.size_gib
        return used

    def _found(self, name: str, values: Iterable[str]) -> dict[str, Volume]:
        found: dict[str, Volume] = {}
        for portion in portions(values):
            with translated("DescribeVolumes"):
                paginator = self._ec2.get_paginator("describe_volumes")
                pages = paginator.paginate(Filters=[{"Name": name, "Values": portion}])
                found |= {str(raw["VolumeId"]): _volume(raw) for page in pages for raw in page["Volumes"]}
        return found

    def create(self, wanted: NewVolume) -> str:
        """Make a volume → its id; the same token gives the same volume (aws.md §D4)."""
        request: dict[str, Any] = {
            "AvailabilityZone": wanted.zone,
            "Size": wanted.size_gib,
            "VolumeType": wanted.volume_type,
            "ClientToken": wanted.token,
            "TagSpecifications": [{"ResourceType": "volume", "Tags": tag_list(wanted.tags)}],
        }
        if wanted.snapshot_id is not None:
            request["SnapshotId"] = wanted.snapshot_id
        else:
            request["Encrypted"] = wanted.encrypted
        if wanted.encrypted and wanted.kms_key_id is not None:
            request |= {"Encrypted": True, "KmsKeyId": wanted.kms_key_id}
        if wanted.iops is not None and wanted.volume_type in PROVISIONED_IOPS:
            request["Iops"] = wanted.iops
        if wanted.throughput_mibps is not None and wanted.volume_type == "gp3":
            request["Throughput"] = wanted.throughput_mibps
        with translated("CreateVolume"):
            return str(self._ec2.create_volume(**request)["VolumeId"])

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        """Begin to attach; already (being) attached there counts as begun."""
        with translated("AttachVolume"):
            try:
                self._ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device=device)
            except ClientError as error:
                if code_of(error) != "VolumeInUse" or not self._is_at(volume_id, instance_id, device):
                    raise

    def _is_at(self, volume_id: str, instance_id: str, device: str) -> bool:
        found = self.described([volume_id]).get(volume_id)
        at = found.attachment if found else None
        return at is not None and (at.instance_id, at.device) == (instance_id, device)

    def detach(self, volume_id: str) -> None:
        """Begin to detach; one that is detached, or on its way, counts as begun. Never by force (aws.md §D2)."""
        with translated("DetachVolume"):
            try:
                self._ec2.detach_volume(VolumeId=volume_id)
            except ClientError as error:
                if code_of(error) != "IncorrectState":
                    raise

    def tag(self, volume_ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Add tags; the same tags again change nothing."""
        if ids := sorted(set(volume_ids)):
            with translated("CreateTags"):
                self._ec2.create_tags(Resources=ids, Tags=tag_list(tags))

    def untag(self, volume_ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Take tags away where they have these very values; what is not there is no fault."""
        if ids := sorted(set(volume_ids)):
            with translated("DeleteTags"):
                self._ec2.delete_tags(Resources=ids, Tags=tag_list(tags))


def _volume(raw: "VolumeTypeDef") -> Volume:
    attachments = [a for a in raw.get("Attachments", []) if a.get("State") != "detached"]
    at = attachments[0] if attachments else None
    return Volume(
        volume_id=str(raw["VolumeId"]),
        state=raw["State"],
        zone=str(raw["AvailabilityZone"]),
        size_gib=int(raw["Size"]),
        volume_type=str(raw["VolumeType"]),
        iops=raw.get("Iops"),
        throughput_mibps=raw.get("Throughput"),
        encrypted=bool(raw.get("Encrypted")),
        kms_key_id=raw.get("KmsKeyId"),
        snapshot_id=raw.get("SnapshotId") or None,
        tags=tag_map(raw.get("Tags")),
        attachment=None
        if at is None
        else Attachment(instance_id=str(at["InstanceId"]), device=str(at["Device"]), state=at["State"]),
    )
