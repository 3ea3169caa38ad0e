"""EBS volumes: states with time, what each state forbids, and bytes in the data plane."""

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

EBS = "moto.ec2.models.elastic_block_store:"
RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
VOLUME_PARAMETERS = (
    "self", "size", "zone_name", "snapshot_id", "encrypted", "kms_key_id", "volume_type", "iops", "throughput",
    "multi_attach_enabled",
)  # fmt: skip
GP3_THROUGHPUT = 125
"""MiB/s that a gp3 volume has unless it was made with more."""
Moto = Any


def _create(region: "Region", old: Moto) -> Moto:
    def create_volume(self: Moto, *args: Any, **kwargs: Any) -> Moto:  # noqa: ANN401  # moto's own signature
        snapshot_id = kwargs.get("snapshot_id")
        with refusing():
            check_snapshot(region, snapshot_id, kwargs.get("size"))
        if kwargs.get("kms_key_id"):
            kwargs["kms_key_id"] = region.ec2.keys.arn(kwargs["kms_key_id"])
        volume = old(self, *args, **kwargs)
        if snapshot_id and volume.encrypted and not kwargs.get("kms_key_id"):
            volume.kms_key_id = self.get_snapshot(snapshot_id).kms_key_id
        if volume.volume_type == "gp3":
            volume.throughput = volume.throughput or GP3_THROUGHPUT
        if snapshot_id:
            region.ec2.initializations.begin(volume)
        blank = snapshot_id is None or not region.snapshots.holds(snapshot_id)
        region.mirror.create_volume(volume.id, size_gib=int(volume.size), snapshot_id=None if blank else snapshot_id)
        return volume

    return create_volume


def check_snapshot(region: "Region", snapshot_id: str | None, size_gib: int | str | None) -> None:
    """A volume can be made of a completed snapshot that is not larger.

    Raises:
        ApiError: it cannot.

    """
    if not snapshot_id:
        return
    snapshot = region.ec2.backend.snapshots.get(snapshot_id)
    if snapshot is None:
        raise ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    if region.snapshots.state(snapshot_id) != "completed":
        raise ApiError("IncorrectState", f"Snapshot {snapshot_id} is not completed")
    if size_gib is not None and int(size_gib) < int(snapshot.volume_size):
        message = "The size of a volume cannot be less than the snapshot size."
        raise ApiError("InvalidParameterValue", message)


def _create_response(region: "Region", old: Moto) -> Moto:
    def create_volume(self: Moto) -> Moto:
        request = dict(self._get_params())
        with region.ec2.lock, refusing():
            if (made := region.ec2.tokens.made("CreateVolume", request)) is not None:
                return ActionResult(made)
            zone = request.get("AvailabilityZone")
            if region.ec2.backend.get_zone_by_name(zone) is None:
                raise ApiError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
            rate = request.get("VolumeInitializationRate")
            region.ec2.initializations.check([(rate, request.get("SnapshotId"))])
            answer = old(self)
            if rate is not None:
                region.ec2.initializations.begin(answer.result, int(rate))
            region.ec2.volumes.created(answer.result)
            region.ec2.tokens.keep("CreateVolume", request, answer.result)
        return answer

    return create_volume


def _delete(region: "Region", old: Moto) -> Moto:
    def delete_volume(self: Moto, volume_id: str) -> Moto:
        with region.ec2.lock, refusing():
            volume = self.get_volume(volume_id)
            region.ec2.volumes.check_delete(volume)
            region.ec2.volumes.deleting(volume, lambda: old(self, volume_id))
        return volume

    return delete_volume


def _attach(region: "Region", old: Moto) -> Moto:
    def attach_volume(
        self: Moto,
        volume_id: str,
        instance_id: str,
        device_path: str,
        delete_on_termination: bool = False,  # noqa: FBT001, FBT002  # moto's own signature
    ) -> Moto:
        with region.ec2.lock, refusing():
            volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
            region.ec2.volumes.check_attach(volume, instance, device_path)
            attachment = old(self, volume_id, instance_id, device_path, delete_on_termination)
            region.ec2.volumes.attaching(instance, volume, device_path)
        return attachment

    return attach_volume


def _detach(region: "Region", _old: Moto) -> Moto:
    def detach_volume(self: Moto) -> Moto:
        force = bool(self._get_bool_param("Force", False))
        with region.ec2.lock, refusing():
            volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
            region.ec2.volumes.check_detach(volume, self._get_param("InstanceId"))
            self.error_on_dryrun()
            attachment = region.ec2.volumes.detaching(volume, force=force)
        told = {name: getattr(attachment, attribute) for name, attribute in ATTACHMENT.items()}
        return ActionResult({**told, "State": "detaching"})

    return detach_volume


ATTACHMENT = {"VolumeId": "volume_id", "InstanceId": "instance_id", "Device": "device", "AttachTime": "attach_time"}


def _status(region: "Region", _old: Moto) -> Moto:
    return property(lambda volume: region.ec2.volumes.status(volume))  # noqa: PLW0108  # properties are asked late


def _delete_on_termination(_region: "Region", _old: Moto) -> Moto:
    def delete_on_termination(self: Moto) -> bool:
        block = self.instance.block_device_mapping.get(self.device)
        return bool(block and block.delete_on_termination)

    return property(delete_on_termination)


def _filter_value(_region: "Region", old: Moto) -> Moto:
    def get_filter_value(self: Moto, filter_name: str, method_name: str | None = None) -> Moto:
        if filter_name == "attachment.delete-on-termination":
            return str(self.attachment.delete_on_termination).lower() if self.attachment else None
        return old(self, filter_name, method_name)

    return get_filter_value


HOOKS = (
    Hook(
        f"{EBS}EBSBackend.create_volume",
        "moto's volumes hold no data, gp3 has no throughput, and one can be made of a pending or larger snapshot.",
        _create,
        VOLUME_PARAMETERS,
    ),
    Hook(
        f"{RESPONSES}create_volume",
        "moto's volumes are available at once, twice for one ClientToken, in no zone, and never initialized.",
        _create_response,
        ("self",),
    ),
    Hook(
        f"{EBS}EBSBackend.delete_volume",
        "moto's volumes hold no data, are gone at once, and can be deleted before they are there.",
        _delete,
        ("self", "volume_id"),
    ),
    Hook(
        f"{EBS}EBSBackend.attach_volume",
        "moto attaches a volume twice, two to one device, across zones, at once, and to no machine.",
        _attach,
        ("self", "volume_id", "instance_id", "device_path", "delete_on_termination"),
    ),
    Hook(
        f"{RESPONSES}detach_volume",
        "moto detaches at once, also the root of a running instance, and ends a second detach in a TypeError.",
        _detach,
        ("self",),
    ),
    Hook(f"{EBS}Volume.status", "moto's volumes have two states.", _status),
    Hook(
        f"{EBS}VolumeAttachment.delete_on_termination",
        "moto's DescribeVolumes does not say it.",
        _delete_on_termination,
        added=True,
    ),
    Hook(
        f"{EBS}Volume.get_filter_value",
        "moto cannot filter volumes by DeleteOnTermination.",
        _filter_value,
        ("self", "filter_name", "method_name"),
    ),
)
