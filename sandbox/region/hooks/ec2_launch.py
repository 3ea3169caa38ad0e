"""RunInstances: what AWS refuses, one launch per token, and volumes and interfaces as they were asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DryRunClientError

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusal
from sandbox.region.hooks.ec2_volumes import check_snapshot
from sandbox.region.hooks.hook import Hook
from sandbox.region.wire import error_body

if TYPE_CHECKING:
    from sandbox.region.region import Region

INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
RESPONSES = "moto.ec2.responses.instances:InstanceResponse."
BAD_REQUEST = 400
NOT_BESIDE_INTERFACES = {
    "SubnetId": "an instance-level subnet ID",
    "SecurityGroupIds": "instance-level security groups",
    "SecurityGroups": "instance-level security groups",
    "PrivateIpAddress": "an instance-level private IP address",
}
NOT_OF_A_GIVEN_INTERFACE = ("SubnetId", "PrivateIpAddress", "PrivateIpAddresses", "Groups", "Description")
Moto = Any
Request = Mapping[str, Any]


def _respond(region: "Region", old: Moto) -> Moto:
    def run_instances(self: Moto) -> Moto:
        request = dict(self._get_params())
        try:
            with region.ec2.lock:
                if (made := region.ec2.tokens.made("RunInstances", request)) is not None:
                    return ActionResult(made)
                _check(region, request)
                answer = old(self)
                for instance in answer.result.instances:
                    _finish(region, request, instance)
                region.ec2.tokens.keep("RunInstances", request, answer.result)
                return answer
        except ApiError as error:
            if error.status == BAD_REQUEST:
                raise refusal(error) from error
            content_type, body = error_body(error, service="ec2", content_type="")
            return error.status, {"status": error.status, "Content-Type": content_type}, body

    return run_instances


def _check(region: "Region", request: Request) -> None:
    _check_image(region, request)
    zone = _check_interfaces(region, request)
    asked = (request.get("Placement") or {}).get("AvailabilityZone")
    if asked and zone and asked != zone:
        message = f"The availability zone '{asked}' does not match that of the subnet, '{zone}'."
        raise ApiError("InvalidParameterValue", message)
    _check_key_pair(region, request.get("KeyName"))
    blocks = [mapping.get("Ebs") or {} for mapping in request.get("BlockDeviceMappings") or []]
    region.ec2.initializations.check((ebs.get("VolumeInitializationRate"), ebs.get("SnapshotId")) for ebs in blocks)
    for ebs in blocks:
        check_snapshot(region, ebs.get("SnapshotId"), ebs.get("VolumeSize"))
    if request.get("DryRun"):
        raise DryRunClientError
    region.ec2.check_capacity(request.get("InstanceType", ""), zone or asked or f"{region.region}a")


def _check_image(region: "Region", request: Request) -> None:
    image_id = request.get("ImageId")
    if image_id is None:
        return
    if not image_id.startswith("ami-"):
        raise ApiError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}"')
    image = region.ec2.backend.amis.get(image_id)
    if image is None:
        raise ApiError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image.state != "available":
        raise ApiError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")


def _check_key_pair(region: "Region", name: str | None) -> None:
    if name and name not in region.ec2.backend.key_pairs:
        raise ApiError("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _check_interfaces(region: "Region", request: Request) -> str | None:
    """The zone that the request's subnet or interfaces imply."""
    specs = request.get("NetworkInterfaces") or []
    if not specs:
        subnet = _subnet(region, request.get("SubnetId"))
        if subnet and request.get("PrivateIpAddress"):
            region.ec2.interfaces.check_address(subnet, request["PrivateIpAddress"])
        return subnet and str(subnet.availability_zone)
    for name, words in NOT_BESIDE_INTERFACES.items():
        if request.get(name):
            message = f"Network interfaces and {words} may not be specified on the same request"
            raise ApiError("InvalidParameterCombination", message)
    zones = [_check_interface(region, spec) for spec in specs]
    return next((zone for zone in zones if zone), None)


def _check_interface(region: "Region", spec: Mapping[str, Any]) -> str | None:
    eni_id = spec.get("NetworkInterfaceId")
    if not eni_id:
        subnet = _subnet(region, spec.get("SubnetId"))
        if subnet and spec.get("PrivateIpAddress"):
            region.ec2.interfaces.check_address(subnet, spec["PrivateIpAddress"])
        return subnet and str(subnet.availability_zone)
    eni = region.ec2.backend.enis.get(eni_id)
    if eni is None:
        raise ApiError("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni_id}' does not exist")
    region.ec2.interfaces.check_free(eni)
    beside = [name for name in NOT_OF_A_GIVEN_INTERFACE if spec.get(name)]
    if beside or str(spec.get("DeleteOnTermination", False)).lower() == "true":
        what = ", ".join(beside) or "delete on termination as true"
        message = f"A network interface may not specify a network interface ID and {what}"
        raise ApiError("InvalidParameterCombination", message)
    return str(eni.availability_zone)


def _subnet(region: "Region", subnet_id: str | None) -> Moto:
    return region.ec2.backend.get_subnet(subnet_id) if subnet_id else None


def _finish(region: "Region", request: Request, instance: Moto) -> None:
    """What moto leaves out of a launch."""
    instance.disable_api_termination = str(request.get("DisableApiTermination", False)).lower() == "true"
    region.ec2.instances.hide(instance)
    for entry in request.get("TagSpecifications") or []:
        if entry["ResourceType"] == "network-interface":
            for eni in instance.nics.values():
                eni.add_tags({tag["Key"]: tag["Value"] for tag in entry["Tags"]})


def _run(region: "Region", old: Moto) -> Moto:
    def run_instances(
        self: Moto,
        image_id: str,
        count: int,
        user_data: Moto,
        security_group_names: list[str],
        **kwargs: Any,  # noqa: ANN401  # moto's own signature
    ) -> Moto:
        mappings, tags = kwargs.pop("block_device_mappings", None), kwargs.get("tags", {}).get("volume", {})
        reservation = old(self, image_id, count, user_data, security_group_names, **kwargs)
        for instance in reservation.instances:
            for device, ebs in _wanted(self, instance.image_id, mappings or []).items():
                volume = _add_volume(self, instance, device, ebs)
                volume.add_tags(tags)
                if rate := ebs.get("VolumeInitializationRate"):
                    region.ec2.initializations.begin(volume, int(rate))
            region.ec2.instances.launched(instance)
        return reservation

    return run_instances


def _wanted(backend: Moto, image_id: str, mappings: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Device → Ebs: the image's volumes, changed and completed by the request's."""
    image = backend.amis.get(image_id)
    wanted = {m["DeviceName"]: dict(m["Ebs"]) for m in (image.block_device_mappings if image else [])}
    for mapping in mappings:
        device = mapping["DeviceName"]
        if mapping.get("NoDevice") is not None:
            wanted.pop(device, None)
        elif ebs := mapping.get("Ebs"):
            wanted[device] = {**wanted.get(device, {}), **{k: v for k, v in ebs.items() if v is not None}}
    return wanted


def _add_volume(backend: Moto, instance: Moto, device: str, ebs: Mapping[str, Any]) -> Moto:
    volume = backend.create_volume(
        size=ebs.get("VolumeSize"),
        zone_name=instance.availability_zone,
        snapshot_id=ebs.get("SnapshotId"),
        encrypted=str(ebs.get("Encrypted", False)).lower() == "true",
        kms_key_id=ebs.get("KmsKeyId"),
        volume_type=ebs.get("VolumeType"),
        iops=ebs.get("Iops"),
        throughput=ebs.get("Throughput"),
    )
    delete = str(ebs.get("DeleteOnTermination", True)).lower() == "true"
    backend.attach_volume(volume.id, instance.id, device, delete)
    return volume


def _prep_nics(region: "Region", old: Moto) -> Moto:
    def prep_nics(
        self: Moto,
        nic_spec: list[dict[str, Any]],
        private_ip: str | None = None,
        associate_public_ip: bool | None = None,  # noqa: FBT001  # moto's own signature
        security_groups: list[Moto] | None = None,
        ipv6_address_count: int | None = None,
    ) -> None:
        specs = {int(spec["DeviceIndex"]): spec for spec in nic_spec}
        region.ec2.instances.launching(self)
        if not self._subnet_id and not any(spec.get("NetworkInterfaceId") for spec in nic_spec):
            default = self.ec2_backend.get_default_subnets().get(self._placement.zone)
            self._subnet_id = default and default.id
        old(self, nic_spec, private_ip, associate_public_ip, security_groups, ipv6_address_count)
        for index, eni in self.nics.items():
            spec = specs.get(index, {})
            if not spec.get("NetworkInterfaceId"):
                eni.delete_on_termination = str(spec.get("DeleteOnTermination", True)).lower() == "true"
        self._placement.zone = self.nics[0].availability_zone
        self.security_groups = list(self.nics[0]._group_set)

    return prep_nics


def _raw_mappings(_region: "Region", _old: Moto) -> Moto:
    def parse_block_device_mapping(self: Moto) -> Moto:
        return self._get_param("BlockDeviceMappings", [])

    return parse_block_device_mapping


def _no_defaults(_region: "Region", _old: Moto) -> Moto:
    def setup_defaults(self: Moto) -> None:
        """The volumes of an instance are those of its image and its request."""

    return setup_defaults


HOOKS = (
    Hook(
        f"{RESPONSES}run_instances",
        "moto launches twice for one ClientToken, from images that do not exist, and with interfaces in use.",
        _respond,
        ("self",),
    ),
    Hook(
        f"{RESPONSES}_parse_block_device_mapping",
        "moto drops Throughput, and refuses a mapping that takes its size from the image.",
        _raw_mappings,
        ("self",),
    ),
    Hook(
        f"{BACKEND}run_instances",
        "moto's instances run at once, and their volumes lose Iops and the image's snapshot.",
        _run,
        ("self", "image_id", "count", "user_data", "security_group_names", "kwargs"),
    ),
    Hook(f"{INSTANCE}setup_defaults", "moto makes a root volume past the image.", _no_defaults, ("self",)),
    Hook(
        f"{INSTANCE}prep_nics",
        "moto's launch-made interfaces survive their instance, and a given one brings neither zone nor groups.",
        _prep_nics,
        ("self", "nic_spec", "private_ip", "associate_public_ip", "security_groups", "ipv6_address_count"),
    ),
)
