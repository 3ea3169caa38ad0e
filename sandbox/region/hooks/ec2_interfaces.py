"""Network interfaces: addresses that are held, states with time, and attributes that can be changed."""

from typing import TYPE_CHECKING, Any

from moto.core.responses import EmptyResult

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

SUBNET = "moto.ec2.models.subnets:Subnet."
MODELS = "moto.ec2.models.elastic_network_interfaces:"
RESPONSES = "moto.ec2.responses.elastic_network_interfaces:ElasticNetworkInterfaces."
Moto = Any


def _request_ip(region: "Region", _old: Moto) -> Moto:
    def request_ip(self: Moto, ip: str, instance: Moto) -> None:  # noqa: ARG001  # moto's own signature
        with refusing():
            region.ec2.interfaces.check_address(self, ip)

    return request_ip


def _available_ip(region: "Region", _old: Moto) -> Moto:
    def get_available_subnet_ip(self: Moto, instance: Moto) -> str:  # noqa: ARG001  # moto's own signature
        with refusing():
            return region.ec2.interfaces.free_address(self)

    return get_available_subnet_ip


def _create(region: "Region", old: Moto) -> Moto:
    def create_network_interface(  # noqa: PLR0913, PLR0917  # moto's own signature
        self: Moto,
        subnet: Moto,
        private_ip_address: Moto,
        private_ip_addresses: Moto = None,
        group_ids: list[str] | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        delete_on_termination: bool | None = False,  # noqa: FBT001, FBT002  # the same
        **kwargs: Any,  # noqa: ANN401  # the same
    ) -> Moto:
        with region.ec2.lock, refusing():
            subnet = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
            region.ec2.interfaces.groups(group_ids or [])
            asked = private_ip_address if isinstance(private_ip_address, list) else [private_ip_address]
            asked = [*asked, *(entry["PrivateIpAddress"] for entry in private_ip_addresses or [])]
            wanted = [address for address in asked if address]
            for address in wanted:
                region.ec2.interfaces.check_address(subnet, address)
            if not wanted:
                private_ip_address = region.ec2.interfaces.free_address(subnet)
            return old(
                self,
                subnet,
                private_ip_address,
                private_ip_addresses,
                group_ids,
                description,
                tags,
                delete_on_termination,
                **kwargs,
            )

    return create_network_interface


def _create_response(region: "Region", old: Moto) -> Moto:
    def create_network_interface(self: Moto) -> Moto:
        request = dict(self._get_params())
        with region.ec2.lock, refusing():
            if (made := region.ec2.tokens.made("CreateNetworkInterface", request)) is not None:
                return made
            answer = old(self)
            made_id = answer.result["NetworkInterface"].id
            region.ec2.visibility.hide(made_id, region.pace.interface_invisible_s)
            region.ec2.tokens.keep("CreateNetworkInterface", request, answer)
        return answer

    return create_network_interface


def _delete(region: "Region", old: Moto) -> Moto:
    def delete_network_interface(self: Moto) -> Moto:
        with region.ec2.lock, refusing():
            region.ec2.interfaces.check_delete(
                self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
            )
            return old(self)

    return delete_network_interface


def _attach(region: "Region", old: Moto) -> Moto:
    def attach_network_interface(self: Moto, eni_id: str, instance_id: str, device_index: int) -> Moto:
        with region.ec2.lock, refusing():
            eni, instance = self.get_network_interface(eni_id), self.get_instance(instance_id)
            region.ec2.interfaces.check_attach(eni, instance, int(device_index))
            old(self, eni_id, instance_id, device_index)
            eni.delete_on_termination = False
            region.ec2.interfaces.attaching(eni)
            return eni.attachment

    return attach_network_interface


def _attach_eni(_region: "Region", old: Moto) -> Moto:
    def attach_eni(self: Moto, eni: Moto, device_index: int) -> str:
        attachment_id: str = old(self, eni, device_index)
        eni.attach_status = eni.status = "attaching"
        return attachment_id

    return attach_eni


def _detach(region: "Region", _old: Moto) -> Moto:
    def detach_network_interface(self: Moto) -> Moto:
        self.error_on_dryrun()
        force = bool(self._get_bool_param("Force", False))
        with region.ec2.lock, refusing():
            region.ec2.interfaces.detach(self._get_param("AttachmentId"), force=force)
        return EmptyResult()

    return detach_network_interface


CHANGEABLE = ("Attachment", "Description", "Groups", "SourceDestCheck")


def _modify(region: "Region", old: Moto) -> Moto:
    def modify_network_interface_attribute(self: Moto) -> Moto:
        given = [name for name in CHANGEABLE if self._get_param(name) not in (None, [])]
        with region.ec2.lock, refusing():
            if len(given) != 1:
                message = "Exactly one attribute must be specified"
                raise ApiError("InvalidParameterCombination", message)
            eni = self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
            if given == ["Groups"]:
                self.error_on_dryrun()
                region.ec2.interfaces.set_groups(eni, self._get_param("Groups"))
            elif given == ["Attachment"]:
                _check_attachment(eni, self._get_param("Attachment"))
                self.error_on_dryrun()
                eni.delete_on_termination = str(self._get_param("Attachment")["DeleteOnTermination"]).lower() == "true"
            else:
                return old(self)
        return EmptyResult()

    return modify_network_interface_attribute


def _check_attachment(eni: Moto, change: dict[str, Any]) -> None:
    if eni.attachment_id is None or change.get("AttachmentId") != eni.attachment_id:
        message = f"The attachment '{change.get('AttachmentId')}' does not exist."
        raise ApiError("InvalidAttachmentID.NotFound", message)
    if "DeleteOnTermination" not in change:
        raise ApiError("MissingParameter", "The request must contain the parameter deleteOnTermination")


def _attachment(_region: "Region", old: Moto) -> Moto:
    def attachment(self: Moto) -> Moto:
        told = old.fget(self)
        if told is not None:
            told.status = getattr(self, "attach_status", "attached")
        return told

    return property(attachment)


def _group_set(_region: "Region", _old: Moto) -> Moto:
    return property(lambda self: self._group_set)


def _filter_value(_region: "Region", old: Moto) -> Moto:
    def get_filter_value(self: Moto, filter_name: str, method_name: str | None = None) -> Moto:
        if filter_name in ("addresses.private-ip-address", "private-ip-address"):
            return [entry["PrivateIpAddress"] for entry in self.private_ip_addresses]
        return old(self, filter_name, method_name)

    return get_filter_value


HOOKS = (
    Hook(
        f"{SUBNET}request_ip",
        "moto answers an address in use with HTTP 500, and takes one of an ENI for free.",
        _request_ip,
        ("self", "ip", "instance"),
    ),
    Hook(
        f"{SUBNET}get_available_subnet_ip",
        "moto gives away addresses that ENIs hold, and those that AWS keeps.",
        _available_ip,
        ("self", "instance"),
    ),
    Hook(
        f"{MODELS}NetworkInterfaceBackend.create_network_interface",
        "moto gives one address to two ENIs, foreign ones too, and makes up groups.",
        _create,
        (
            *("self", "subnet", "private_ip_address", "private_ip_addresses", "group_ids", "description", "tags"),
            *("delete_on_termination", "kwargs"),
        ),
    ),
    Hook(f"{RESPONSES}create_network_interface", "moto knows no ClientToken here.", _create_response, ("self",)),
    Hook(f"{RESPONSES}delete_network_interface", "moto deletes an ENI that is in use.", _delete, ("self",)),
    Hook(
        f"{MODELS}NetworkInterfaceBackend.attach_network_interface",
        "moto attaches an ENI that is in use, at an index that is taken, at once.",
        _attach,
        ("self", "eni_id", "instance_id", "device_index"),
    ),
    Hook(
        "moto.ec2.models.instances:Instance.attach_eni",
        "moto's ENIs are in use at once.",
        _attach_eni,
        ("self", "eni", "device_index"),
    ),
    Hook(
        f"{RESPONSES}detach_network_interface",
        "moto detaches at once, by force or not, and by the number of interfaces instead of the index.",
        _detach,
        ("self",),
    ),
    Hook(
        f"{RESPONSES}modify_network_interface_attribute",
        "moto ignores Attachment.DeleteOnTermination, and takes several attributes in one call.",
        _modify,
        ("self",),
    ),
    Hook(f"{MODELS}NetworkInterface.attachment", "moto's attachments have one state.", _attachment),
    Hook(f"{MODELS}NetworkInterface.group_set", "moto adds groups to an ENI's own.", _group_set),
    Hook(
        f"{MODELS}NetworkInterface.get_filter_value",
        "moto cannot find an ENI by a second address.",
        _filter_value,
        ("self", "filter_name", "method_name"),
    ),
)
