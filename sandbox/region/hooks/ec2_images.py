"""Images: made of an instance's volumes at one instant, pending for a while, and launched with their bytes."""

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ec2.models.amis import Ami
from moto.ec2.utils import random_ami_id

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ec2.responses.amis:AmisResponse."
AMI = "moto.ec2.models.amis:Ami."
REGISTERED_GIB = 8
POLL_S = 0.05
Moto = Any


def _create(region: "Region", _old: Moto) -> Moto:
    def create_image(self: Moto) -> Moto:
        with region.ec2.lock, refusing():
            instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
            if instance.state not in ("running", "stopped"):
                message = f"Instance '{instance.id}' is not 'running' or 'stopped'."
                raise ApiError("IncorrectState", message)
            name = self._get_param("Name")
            if any(image.name == name for image in self.ec2_backend.amis.values()):
                raise ApiError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")
            self.error_on_dryrun()
            if not self._get_bool_param("NoReboot", False) and instance.state == "running":
                region.ec2.instances.reboot(instance)
            left_out = {
                mapping["DeviceName"]
                for mapping in self._get_param("BlockDeviceMappings", [])
                if mapping.get("NoDevice") is not None
            }
            image = _make(region, self, instance, left_out)
        return ActionResult({"ImageId": image.id})

    return create_image


def _make(region: "Region", response: Moto, instance: Moto, left_out: set[str]) -> Moto:
    backend, image_id, tags = response.ec2_backend, random_ami_id(), response._parse_tag_specification()
    image = Ami(
        backend,
        image_id,
        instance=instance,
        name=response._get_param("Name"),
        description=response._get_param("Description", ""),
        root_device_type="ebs",
        root_device_name=instance.root_device_name,
        region_name=instance.availability_zone,
        tags=tags.get("image"),
    )
    backend.snapshots.pop(image.ebs_snapshot.id)
    blocks = {device: block for device, block in instance.get_block_device_mapping if device not in left_out}
    words = f"Created by CreateImage({instance.id}) for {image_id}"
    made = {device: backend.create_snapshot(block.volume_id, words) for device, block in blocks.items()}
    region.snapshots.cut_set(
        instance.id,
        {blocks[device].volume_id: snapshot.id for device, snapshot in made.items()},
        powered=region.mirror.is_on(instance.id),
        one_fate=False,
    )
    for snapshot in made.values():
        snapshot.add_tags(tags.get("snapshot", {}))
    image.ebs_snapshot = made.get(instance.root_device_name, image.ebs_snapshot)
    image.mappings = [_mapping(backend, device, blocks[device], snapshot) for device, snapshot in made.items()]
    image.state = "pending"
    backend.amis[image_id] = image
    _settle(region, image, region.pace.image_pending_s)
    return image


def _mapping(backend: Moto, device: str, block: Moto, snapshot: Moto) -> dict[str, Any]:
    volume = backend.get_volume(block.volume_id)
    ebs = {
        "SnapshotId": snapshot.id,
        "VolumeSize": int(volume.size),
        "VolumeType": volume.volume_type,
        "Iops": volume.iops,
        "Throughput": volume.throughput,
        "Encrypted": volume.encrypted,
        "DeleteOnTermination": block.delete_on_termination,
    }
    return {"DeviceName": device, "Ebs": {key: value for key, value in ebs.items() if value is not None}}


def _settle(region: "Region", image: Moto, delay_s: float) -> None:
    def look() -> None:
        states = {region.snapshots.state(mapping["Ebs"]["SnapshotId"]) for mapping in image.mappings}
        if image.state != "pending":
            return
        if "pending" in states:
            _settle(region, image, POLL_S)
        else:
            image.state = "failed" if "error" in states else "available"

    region.ec2.clockwork.after(delay_s, look, resource=image.id, state="pending")


def _mappings(_region: "Region", _old: Moto) -> Moto:
    def block_device_mappings(self: Moto) -> list[dict[str, Any]]:
        """A registered image has a blank root volume of some size; a made one has what its instance had."""
        if hasattr(self, "mappings"):
            return list(self.mappings)
        self.ebs_snapshot.volume.size = REGISTERED_GIB
        ebs = {"SnapshotId": self.ebs_snapshot.id, "VolumeSize": REGISTERED_GIB, "VolumeType": "gp3"}
        return [{"DeviceName": self.root_device_name, "Ebs": {**ebs, "DeleteOnTermination": True}}]

    return property(block_device_mappings)


HOOKS = (
    Hook(f"{RESPONSES}create_image", "moto's images hold no data, and cost no reboot.", _create, ("self",)),
    Hook(f"{AMI}block_device_mappings", "moto's images all have one root volume of 15 GiB.", _mappings),
)
