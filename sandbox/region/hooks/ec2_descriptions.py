"""What can be read about instances beyond DescribeInstances: launch template data, attributes, filters."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.types import Base64EncodedString

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

INSTANCES = "moto.ec2.responses.instances:InstanceResponse."
TEMPLATES = "moto.ec2.responses.launch_templates:LaunchTemplates."
Moto = Any


def _launch_template_data(_region: "Region", _old: Moto) -> Moto:
    def get_launch_template_data(self: Moto) -> Moto:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        self.error_on_dryrun()
        data = {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "KeyName": instance.key_name,
            "EbsOptimized": instance.ebs_optimized,
            "DisableApiTermination": instance.disable_api_termination,
            "DisableApiStop": instance.disable_api_stop,
            "InstanceInitiatedShutdownBehavior": instance.instance_initiated_shutdown_behavior,
            "UserData": _text(instance.user_data),
            "IamInstanceProfile": instance.iam_instance_profile and {"Arn": instance.iam_instance_profile["Arn"]},
            "Monitoring": {"Enabled": instance.monitored},
            "Placement": {
                "AvailabilityZone": instance.availability_zone,
                "GroupName": instance.placement.group_name,
                "Tenancy": "default",
            },
            "MetadataOptions": instance.metadata_options,
            "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
            "EnclaveOptions": {"Enabled": False},
            "HibernationOptions": {"Configured": False},
            "MaintenanceOptions": {"AutoRecovery": "default"},
            "PrivateDnsNameOptions": {
                "HostnameType": "ip-name",
                "EnableResourceNameDnsARecord": False,
                "EnableResourceNameDnsAAAARecord": False,
            },
            "BlockDeviceMappings": [
                _block(self.ec2_backend.get_volume(block.volume_id), device, block)
                for device, block in instance.get_block_device_mapping
            ],
            "NetworkInterfaces": [_interface(index, eni) for index, eni in sorted(instance.nics.items())],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": _tags(instance)}] if _tags(instance) else [],
        }
        return ActionResult({"LaunchTemplateData": {key: value for key, value in data.items() if value is not None}})

    return get_launch_template_data


def _text(user_data: Moto) -> str | None:
    return str(user_data.as_bytes().decode()) if user_data is not None else None


def _tags(resource: Moto) -> list[dict[str, str]]:
    return [{"Key": tag["key"], "Value": tag["value"]} for tag in resource.get_tags()]


def _block(volume: Moto, device: str, block: Moto) -> dict[str, Any]:
    ebs = {
        "DeleteOnTermination": block.delete_on_termination,
        "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key_id,
        "SnapshotId": volume.snapshot_id,
        "VolumeSize": int(volume.size),
        "VolumeType": volume.volume_type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
    }
    return {"DeviceName": device, "Ebs": {key: value for key, value in ebs.items() if value is not None}}


def _interface(index: int, eni: Moto) -> dict[str, Any]:
    return {
        "AssociatePublicIpAddress": bool(eni.public_ip),
        "DeleteOnTermination": bool(eni.delete_on_termination),
        "Description": eni.description,
        "DeviceIndex": index,
        "Groups": [group.id for group in eni.group_set],
        "InterfaceType": eni.interface_type,
        "Ipv6Addresses": [],
        "NetworkInterfaceId": eni.id,
        "PrivateIpAddress": eni.private_ip_address,
        "PrivateIpAddresses": eni.instance_private_ip_address_list,
        "SubnetId": eni.subnet.id,
        "NetworkCardIndex": 0,
    }


def _attribute(_region: "Region", old: Moto) -> Moto:
    def describe_instance_attribute(self: Moto) -> Moto:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        self.error_on_dryrun()
        match self._get_param("Attribute"):
            case "blockDeviceMapping":
                told = {"BlockDeviceMappings": instance.block_device_mappings}
            case "userData":
                text = _text(instance.user_data)
                told = {"UserData": {"Value": text} if text else {}}
            case "groupSet":
                told = {"Groups": [{"GroupId": g.id, "GroupName": g.name} for g in instance.security_groups]}
            case _:
                return old(self)
        return ActionResult({"InstanceId": instance.id, **told})

    return describe_instance_attribute


def _modify(region: "Region", old: Moto) -> Moto:
    def modify_instance_attribute(self: Moto) -> Moto:
        with region.ec2.lock, refusing():
            instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
            for mapping in self._get_param("BlockDeviceMappings", []):
                if mapping["DeviceName"] not in instance.block_device_mapping:
                    message = f"No device is currently mapped at {mapping['DeviceName']}"
                    raise ApiError("InvalidInstanceAttributeValue", message)
            changed = [name for name in ("UserData", "InstanceType") if self._get_param(f"{name}.Value") is not None]
            if changed and instance.state != "stopped":
                message = f"The instance '{instance.id}' is not in the 'stopped' state."
                raise ApiError("IncorrectInstanceState", message)
            self.error_on_dryrun()
            if groups := self._get_param("Groups", []):
                region.ec2.interfaces.set_groups(instance.nics[0], groups)
            if isinstance(text := self._get_param("UserData.Value"), bytes):
                instance.user_data = Base64EncodedString(base64.b64encode(text).decode())
                return EmptyResult()
            return old(self)

    return modify_instance_attribute


def _filter(_region: "Region", old: Moto) -> Moto:
    def passes_filter_dict(instance: Moto, filter_dict: dict[str, Any]) -> bool:
        own = {name: values for name, values in filter_dict.items() if name in FILTERS}
        rest = {name: values for name, values in filter_dict.items() if name not in FILTERS}
        found = all(set(FILTERS[name](instance)) & set(values) for name, values in own.items())
        return found and bool(old(instance, rest))

    return passes_filter_dict


def _addresses(instance: Moto) -> list[str]:
    return [entry["PrivateIpAddress"] for eni in instance.nics.values() for entry in eni.private_ip_addresses]


FILTERS: dict[str, Callable[[Moto], list[Any]]] = {
    "network-interface.network-interface-id": lambda instance: [eni.id for eni in instance.nics.values()],
    "network-interface.addresses.private-ip-address": _addresses,
    "block-device-mapping.volume-id": lambda instance: [b.volume_id for _, b in instance.get_block_device_mapping],
    "client-token": lambda instance: [instance.client_token],
    "instance-state-code": lambda instance: [str(instance.state_code)],
    "iam-instance-profile.arn": lambda instance: [(instance.iam_instance_profile or {}).get("Arn")],
}


def _own_tags(_region: "Region", _old: Moto) -> Moto:
    def get_tags(self: Moto) -> list[dict[str, str]]:
        # Copied whole: other threads tag meanwhile.
        own = dict(self.ec2_backend.tags.get(self.id, {}))
        return [{"resource_id": self.id, "key": key, "value": value} for key, value in own.items()]

    return get_tags


HOOKS = (
    Hook(
        f"{TEMPLATES}get_launch_template_data",
        "moto calls every device 'string', and leaves out user data, profile, and what volumes are like.",
        _launch_template_data,
        ("self",),
    ),
    Hook(
        f"{INSTANCES}describe_instance_attribute",
        "moto loses the block device mapping, and what is not there is no empty value.",
        _attribute,
        ("self",),
    ),
    Hook(
        f"{INSTANCES}modify_instance_attribute",
        "moto ends an unknown device in HTTP 500, changes what runs, decodes user data twice, and keeps groups.",
        _modify,
        ("self",),
    ),
    Hook(
        "moto.ec2.utils:passes_filter_dict",
        "moto cannot filter instances by interface, volume or token.",
        _filter,
        ("instance", "filter_dict"),
    ),
    Hook(
        "moto.ec2.models.core:TaggedEC2Resource.get_tags",
        "moto looks through the tags of all resources for those of one, and breaks if another thread tags meanwhile.",
        _own_tags,
        ("self",),
    ),
)
