"""Network interfaces as AWS shows them: states, addresses that are held, and a release that takes its time."""

import ipaddress
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.ec2.compute import Compute

Moto = Any
AWS_KEEPS = 4
"""The first addresses of a subnet, and its last, are nobody's."""


class Interfaces:
    """States of ENIs; moto keeps the rest."""

    def __init__(self, compute: "Compute") -> None:
        self._compute = compute

    def check_address(self, subnet: Moto, address: str) -> None:
        """An address of the subnet that no ENI holds.

        Raises:
            ApiError: with AWS's code.

        """
        network = ipaddress.ip_network(subnet.cidr_block)
        if ipaddress.ip_address(address) not in network:
            raise ApiError("InvalidParameterValue", "Address does not fall within the subnet's address range")
        if address in self._held(subnet):
            raise ApiError("InvalidIPAddress.InUse", f"Address {address} is in use.")

    def free_address(self, subnet: Moto) -> str:
        """The first address of a subnet that nobody holds.

        Raises:
            ApiError: there is none left.

        """
        held = set(self._held(subnet))
        for host in itertools.islice(ipaddress.ip_network(subnet.cidr_block).hosts(), AWS_KEEPS - 1, None):
            if str(host) not in held:
                return str(host)
        raise ApiError("InsufficientFreeAddressesInSubnet", f"{subnet.id} has no free addresses")

    @staticmethod
    def _held(subnet: Moto) -> Iterator[str]:
        for eni in list(subnet.ec2_backend.enis.values()):
            if eni.subnet.id == subnet.id:
                yield from (entry["PrivateIpAddress"] for entry in eni.private_ip_addresses)

    @staticmethod
    def check_free(eni: Moto) -> None:
        """Only an available ENI can be attached.

        Raises:
            ApiError: it is not.

        """
        if eni.status != "available":
            raise ApiError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")

    def check_attach(self, eni: Moto, instance: Moto, device_index: int) -> None:
        """Refuse what AWS refuses.

        Raises:
            ApiError: with AWS's code.

        """
        self.check_free(eni)
        if instance.state not in ("running", "stopped"):
            raise ApiError("IncorrectState", f"Instance '{instance.id}' is not 'running' or 'stopped'.")
        if device_index in instance.nics:
            message = f"Instance '{instance.id}' already has an interface attached at device index '{device_index}'."
            raise ApiError("InvalidParameterValue", message)
        if eni.availability_zone != instance.availability_zone:
            message = "You may not attach a network interface to an instance in another availability zone"
            raise ApiError("InvalidParameterCombination", message)

    def attaching(self, eni: Moto) -> None:
        """Begin an attachment."""
        eni.attach_status = eni.status = "attaching"
        delay_s = self._compute.pace.eni_attach_s
        self._compute.clockwork.after(delay_s, lambda: self.attached(eni), resource=eni.id, state="attaching")

    @staticmethod
    def attached(eni: Moto) -> None:
        """The attachment is complete."""
        if eni.attachment_id:
            eni.attach_status, eni.status = "attached", "in-use"

    def detach(self, attachment_id: str, *, force: bool) -> None:
        """DetachNetworkInterface: never the first interface of an instance that still exists.

        Raises:
            ApiError: with AWS's code.

        """
        enis = self._compute.backend.enis.values()
        eni = next((eni for eni in enis if eni.attachment_id == attachment_id), None)
        if eni is None:
            raise ApiError("InvalidAttachmentID.NotFound", f"The attachment '{attachment_id}' does not exist.")
        if eni.device_index == 0 and eni.instance.state != "terminated":
            message = "The network interface at device index 0 cannot be detached."
            raise ApiError("OperationNotPermitted", message)
        if force:
            self._let_go(eni, attachment_id, delete=False)
        else:
            self.release(eni, delete=False)

    def release(self, eni: Moto, *, delete: bool) -> None:
        """Begin to release; at its end the ENI is available, or gone with its address."""
        eni.attach_status = eni.status = "detaching"
        delay_s, attachment_id = self._compute.pace.eni_release_s, eni.attachment_id
        self._compute.clockwork.after(
            delay_s, lambda: self._let_go(eni, attachment_id, delete=delete), resource=eni.id, state="detaching"
        )

    def _let_go(self, eni: Moto, attachment_id: str, *, delete: bool) -> None:
        with self._compute.lock:
            if eni.attachment_id != attachment_id:
                return
            if eni.instance.nics.get(eni.device_index) is eni:
                del eni.instance.nics[eni.device_index]
            eni.instance = eni.attachment_id = eni.attach_time = eni.device_index = None
            eni.status, eni.delete_on_termination = "available", False
            if delete:
                self._compute.backend.enis.pop(eni.id, None)

    def check_delete(self, eni: Moto) -> None:
        """An attached ENI cannot be deleted.

        Raises:
            ApiError: it is.

        """
        if eni.status != "available":
            message = f"Network interface '{eni.id}' is currently in use."
            raise ApiError("InvalidParameterValue", message)

    def set_groups(self, eni: Moto, group_ids: list[str]) -> None:
        """Replace the security groups; an instance's are those of its first interface.

        Raises:
            ApiError: a group does not exist.

        """
        groups = self.groups(group_ids)
        eni._group_set = groups  # noqa: SLF001  # moto's only place for them
        if eni.instance is not None and eni.device_index == 0:
            eni.instance.security_groups = list(groups)

    def groups(self, group_ids: list[str]) -> list[Moto]:
        """The groups of these ids.

        Raises:
            ApiError: one does not exist.

        """
        found = {group_id: self._compute.backend.get_security_group_from_id(group_id) for group_id in group_ids}
        if unknown := [group_id for group_id, group in found.items() if group is None]:
            raise ApiError("InvalidGroup.NotFound", f"The security group '{unknown[0]}' does not exist")
        return list(found.values())
