"""EC2: instances by their ids, in any state: what they have, how they are, and how they are brought to an end."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, translated
from aerokeep.aws.filters import portions
from aerokeep.aws.tags import tag_map
from aerokeep.model.machine import BlockDevice, Machine, NetworkAttachment, StatusChecks

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

_GOING = frozenset({"IncorrectInstanceState", "InvalidInstanceID.NotFound"})
"""The instance is on its way out already, or out of sight."""


class Machines:
    """Instances that are diagnosed, fenced and replaced."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def seen(self, instance_ids: Iterable[str]) -> dict[str, Machine]:
        """Each instance, ``absent`` where EC2 does not list it: ids as a filter, so that one unknown fails no call."""
        found: dict[str, Machine] = {}
        for portion in portions(instance_ids):
            found |= {i: Machine(instance_id=i, state="absent") for i in portion}
            found |= {m.instance_id: m for m in self._described([{"Name": "instance-id", "Values": portion}])}
        return found

    def _described(self, filters: list[Any]) -> list[Machine]:
        with translated("DescribeInstances"):
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            return [_machine(raw) for page in pages for r in page["Reservations"] for raw in r.get("Instances", [])]

    def checks(self, instance_ids: Iterable[str]) -> dict[str, StatusChecks]:
        """EC2's status checks by instance id; those that don't run have none that apply.

        Raises:
            RejectedError: EC2 does not know one of the ids.

        """
        wanted = sorted(set(instance_ids))
        found = {i: StatusChecks() for i in wanted}
        if not wanted:
            return found
        with translated("DescribeInstanceStatus"):
            pages = self._ec2.get_paginator("describe_instance_status").paginate(
                IncludeAllInstances=True, InstanceIds=wanted
            )
            statuses: list[Mapping[str, Any]] = [status for page in pages for status in page["InstanceStatuses"]]
        told = {
            str(status.get("InstanceId")): StatusChecks(
                instance=_status(status, "InstanceStatus"),
                system=_status(status, "SystemStatus"),
                attached_ebs=_status(status, "AttachedEbsStatus"),
            )
            for status in statuses
        }
        return found | told

    def keep_volumes(self, instance_id: str, devices: Iterable[str]) -> None:
        """Set DeleteOnTermination to false on the volumes at ``devices``."""
        mappings: Any = [{"DeviceName": name, "Ebs": {"DeleteOnTermination": False}} for name in sorted(devices)]
        with translated("ModifyInstanceAttribute"):
            self._ec2.modify_instance_attribute(InstanceId=instance_id, BlockDeviceMappings=mappings)

    def is_kept_from_termination(self, instance_id: str) -> bool:
        """Whether ``disableApiTermination`` is set."""
        with translated("DescribeInstanceAttribute"):
            reply = self._ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="disableApiTermination")
        return bool(reply["DisableApiTermination"].get("Value"))

    def allow_termination(self, instance_id: str) -> None:
        """Clear ``disableApiTermination``."""
        with translated("ModifyInstanceAttribute"):
            self._ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})

    def stop(self, instance_id: str) -> None:
        """StopInstances by force; one that is going or gone already, or may not be stopped, is left as it is."""
        with translated("StopInstances"):
            try:
                self._ec2.stop_instances(InstanceIds=[instance_id], Force=True)
            except ClientError as error:
                if code_of(error) not in {*_GOING, "OperationNotPermitted", "UnsupportedOperation"}:
                    raise

    def terminate(self, instance_id: str) -> None:
        """TerminateInstances, one id a call: one that is protected keeps its whole batch (aws.md §D2)."""
        with translated("TerminateInstances"):
            try:
                self._ec2.terminate_instances(InstanceIds=[instance_id])
            except ClientError as error:
                if code_of(error) not in _GOING:
                    raise


def _status(status: Mapping[str, Any], name: str) -> str:
    return str((status.get(name) or {}).get("Status", "not-applicable"))


def _machine(raw: Mapping[str, Any]) -> Machine:
    return Machine(
        instance_id=str(raw["InstanceId"]),
        state=str(raw["State"]["Name"]),
        state_reason=str((raw.get("StateReason") or {}).get("Message", "")),
        zone=str((raw.get("Placement") or {}).get("AvailabilityZone", "")),
        instance_type=str(raw.get("InstanceType", "")),
        image_id=str(raw.get("ImageId", "")),
        root_device=str(raw.get("RootDeviceName", "")),
        block_devices=tuple(
            BlockDevice(
                device=str(mapping["DeviceName"]),
                volume_id=str(mapping["Ebs"]["VolumeId"]),
                delete_on_termination=bool(mapping["Ebs"].get("DeleteOnTermination")),
            )
            for mapping in raw.get("BlockDeviceMappings", [])
            if mapping.get("Ebs")
        ),
        interfaces=tuple(_attachment(interface) for interface in raw.get("NetworkInterfaces", [])),
        tags=tag_map(raw.get("Tags")),
        client_token=str(raw.get("ClientToken", "")),
    )


def _attachment(raw: Mapping[str, Any]) -> NetworkAttachment:
    attachment = raw.get("Attachment") or {}
    return NetworkAttachment(
        interface_id=str(raw["NetworkInterfaceId"]),
        attachment_id=str(attachment.get("AttachmentId", "")),
        device_index=int(attachment.get("DeviceIndex", 0)),
        delete_on_termination=bool(attachment.get("DeleteOnTermination")),
        private_ip=str(raw.get("PrivateIpAddress", "")),
        mac_address=str(raw.get("MacAddress", "")),
        subnet_id=str(raw.get("SubnetId", "")),
        groups=tuple(sorted(str(group.get("GroupId")) for group in raw.get("Groups", []))),
    )
