"""EC2: network interfaces, which carry a node's private IP and MAC from one instance to the next."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, translated
from aerokeep.aws.tags import tag_list, tag_map
from aerokeep.model.errors import RejectedError
from aerokeep.model.machine import Interface

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client


class Interfaces:
    """Network interfaces by id and by address."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def seen(self, interface_id: str) -> Interface | None:
        """One interface, or None where it does not exist (any more)."""
        return next(iter(self._described([{"Name": "network-interface-id", "Values": [interface_id]}])), None)

    def of_any_run(self) -> list[Interface]:
        """All that any run has made."""
        return self._described([{"Name": "tag-key", "Values": ["aerokeep:run"]}])

    def delete(self, interface_id: str) -> None:
        """Delete one; one that is gone already counts as deleted. AWS refuses one that is attached."""
        with translated("DeleteNetworkInterface"):
            try:
                self._ec2.delete_network_interface(NetworkInterfaceId=interface_id)
            except ClientError as error:
                if code_of(error) != "InvalidNetworkInterfaceID.NotFound":
                    raise

    def holding(self, private_ip: str, *, subnet_id: str) -> Interface | None:
        """Whoever has the address in the subnet."""
        filters = [
            {"Name": "subnet-id", "Values": [subnet_id]},
            {"Name": "addresses.private-ip-address", "Values": [private_ip]},
        ]
        return next(iter(self._described(filters)), None)

    def _described(self, filters: list[Any]) -> list[Interface]:
        with translated("DescribeNetworkInterfaces"):
            pages = self._ec2.get_paginator("describe_network_interfaces").paginate(Filters=filters)
            return [_interface(raw) for page in pages for raw in page["NetworkInterfaces"]]

    def keep(self, interface_id: str, *, attachment_id: str) -> None:
        """Set DeleteOnTermination to false."""
        with translated("ModifyNetworkInterfaceAttribute"):
            self._ec2.modify_network_interface_attribute(
                NetworkInterfaceId=interface_id,
                Attachment={"AttachmentId": attachment_id, "DeleteOnTermination": False},
            )

    def create(
        self, *, subnet_id: str, private_ip: str, groups: Iterable[str], tags: Mapping[str, str], client_token: str
    ) -> str:
        """Make one with this address → its id; the same token again makes no second one.

        Raises:
            RejectedError: ``ip_taken``: somebody else has the address.

        """
        with translated("CreateNetworkInterface"):
            try:
                reply = self._ec2.create_network_interface(
                    SubnetId=subnet_id,
                    PrivateIpAddress=private_ip,
                    Groups=sorted(groups),
                    Description="Aerokeep: made again, since the node's own was gone",
                    TagSpecifications=[{"ResourceType": "network-interface", "Tags": tag_list(tags)}],
                    ClientToken=client_token,
                )
            except ClientError as error:
                if code_of(error) not in {"InvalidIPAddress.InUse", "InvalidIPAddress.InUseException"}:
                    raise
                raise RejectedError(
                    f"ip_taken: {private_ip} in {subnet_id} belongs to somebody else by now: free it, and start again"
                ) from error
        return str(reply["NetworkInterface"].get("NetworkInterfaceId"))


def _interface(raw: Mapping[str, Any]) -> Interface:
    attachment = raw.get("Attachment") or {}
    return Interface(
        interface_id=str(raw["NetworkInterfaceId"]),
        status=str(raw.get("Status")),
        private_ip=str(raw.get("PrivateIpAddress", "")),
        mac_address=str(raw.get("MacAddress", "")),
        subnet_id=str(raw.get("SubnetId", "")),
        zone=str(raw.get("AvailabilityZone", "")),
        instance_id=attachment.get("InstanceId"),
        tags=tag_map(raw.get("TagSet")),
    )
