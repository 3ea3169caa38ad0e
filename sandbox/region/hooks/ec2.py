"""EC2 and EBS: snapshots with states, one instant per set; volumes and power mirrored into the data plane."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from sandbox.region.faults import ApiError
from sandbox.region.hooks.hook import Hook
from sandbox.region.snapshots import Exclusions, members

if TYPE_CHECKING:
    from sandbox.region.region import Region

EBS = "moto.ec2.models.elastic_block_store:"
RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
INSTANCE = "moto.ec2.models.instances:Instance."
VOLUME_PARAMETERS = (
    "self", "size", "zone_name", "snapshot_id", "encrypted", "kms_key_id", "volume_type", "iops", "throughput",
    "multi_attach_enabled",
)  # fmt: skip
Moto = Any


def _create_volume(region: "Region", old: Moto) -> Moto:
    def create_volume(self: Moto, *args: Any, **kwargs: Any) -> Moto:  # noqa: ANN401  # moto's own signature
        snapshot_id = kwargs.get("snapshot_id")
        if snapshot_id and region.snapshots.state(snapshot_id) != "completed":
            raise _error(ApiError("IncorrectState", f"Snapshot {snapshot_id} is not completed"))
        volume = old(self, *args, **kwargs)
        if snapshot_id and volume.encrypted and not kwargs.get("kms_key_id"):
            volume.kms_key_id = self.get_snapshot(snapshot_id).kms_key_id
        region.mirror.create_volume(volume.id, size_gib=int(volume.size), snapshot_id=snapshot_id)
        return volume

    return create_volume


def _delete_volume(region: "Region", old: Moto) -> Moto:
    def delete_volume(self: Moto, volume_id: str) -> Moto:
        volume = old(self, volume_id)
        region.mirror.delete_volume(volume_id)
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
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        if volume.attachment:
            raise _error(ApiError("VolumeInUse", f"{volume_id} is already attached to an instance"))
        if device_path in instance.block_device_mapping:
            raise _error(ApiError("InvalidParameterValue", f"Invalid value '{device_path}': already in use"))
        attachment = old(self, volume_id, instance_id, device_path, delete_on_termination)
        region.mirror.attach(instance, volume_id, device_path)
        return attachment

    return attach_volume


def _detach(region: "Region", old: Moto) -> Moto:
    def detach_volume(self: Moto, volume_id: str, instance_id: str, device_path: str) -> Moto:
        attachment = self.get_volume(volume_id).attachment
        if attachment is None:
            raise _error(ApiError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state."))
        attachment = old(self, volume_id, instance_id or attachment.instance.id, device_path)
        region.mirror.detach(volume_id)
        return attachment

    return detach_volume


def _power_off(region: "Region", old: Moto) -> Moto:
    def stop_or_terminate(self: Moto) -> Moto:
        region.mirror.power_off(self)
        return old(self)

    return stop_or_terminate


def _power_on(region: "Region", old: Moto) -> Moto:
    def start(self: Moto) -> Moto:
        previous = old(self)
        region.mirror.power_on(self)
        return previous

    return start


def _create_snapshots(region: "Region", _old: Moto) -> Moto:
    def create_snapshots(self: Moto) -> Moto:
        spec = self._get_param("InstanceSpecification", {})
        description = self._get_param("Description", "")
        tags = self._parse_tag_specification().get("snapshot", {})
        self.error_on_dryrun()
        instance = self.ec2_backend.get_instance(spec["InstanceId"])
        attached = {device: block.volume_id for device, block in instance.get_block_device_mapping}
        boot = str(spec.get("ExcludeBootVolume", False)).lower() == "true"
        without = Exclusions(boot=boot, data=list(spec.get("ExcludeDataVolumeIds", None) or []))
        try:
            chosen = members(attached, root_device=instance.root_device_name, without=without)
            region.snapshots.reserve(chosen)
        except ApiError as error:
            raise _error(error) from error
        time.sleep(region.pace.create_snapshots_s / 2)
        made = {volume_id: self.ec2_backend.create_snapshot(volume_id, description) for volume_id in chosen}
        if self._get_param("CopyTagsFromSource") == "volume":
            for volume_id, snapshot in made.items():
                snapshot.add_tags({t["key"]: t["value"] for t in self.ec2_backend.get_volume(volume_id).get_tags()})
        started = _cut(region, spec["InstanceId"], made)
        for snapshot in made.values():
            snapshot.start_time = started
            snapshot.add_tags(tags)
        time.sleep(region.pace.create_snapshots_s / 2)
        return _action_result({"Snapshots": [_wire(region, snapshot) for snapshot in made.values()]})

    return create_snapshots


def _cut(region: "Region", instance_id: str, made: dict[str, Moto]) -> datetime:
    """The instant itself; AWS shares one StartTime among a set."""
    started = datetime.now(UTC).replace(tzinfo=None)
    region.snapshots.cut(instance_id, {volume_id: snapshot.id for volume_id, snapshot in made.items()})
    return started


def _create_snapshot(_region: "Region", old: Moto) -> Moto:
    def create_snapshot(
        self: Moto, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> Moto:
        snapshot = old(self, volume_id, description, owner_id, from_ami)
        snapshot.kms_key_id = self.get_volume(volume_id).kms_key_id
        return snapshot

    return create_snapshot


def _create_one(region: "Region", _old: Moto) -> Moto:
    def create_snapshot(self: Moto) -> Moto:
        volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
        tags = self._parse_tag_specification().get("snapshot", {})
        self.error_on_dryrun()
        try:
            region.snapshots.reserve([volume.id])
        except ApiError as error:
            raise _error(error) from error
        snapshot = self.ec2_backend.create_snapshot(volume.id, self._get_param("Description", ""))
        region.snapshots.cut_one(volume.id, snapshot.id)
        snapshot.add_tags(tags)
        return _action_result(_wire(region, snapshot))

    return create_snapshot


def _describe_snapshots(region: "Region", _old: Moto) -> Moto:
    def describe_snapshots(self: Moto) -> Moto:
        ids, size = self._get_param("SnapshotIds", []), self._get_param("MaxResults")
        if ids and size:
            message = "The parameter snapshotSet cannot be used with the parameter maxResults"
            raise _error(ApiError("InvalidParameterCombination", message))
        for snapshot_id in ids:
            if snapshot_id not in self.ec2_backend.snapshots:
                raise _error(ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."))
        found = self.ec2_backend.describe_snapshots(snapshot_ids=ids, filters=self._filters_from_querystring())
        if owners := self._get_param("OwnerIds", []):
            mine = {region.account if owner == "self" else owner for owner in owners}
            found = [snapshot for snapshot in found if snapshot.owner_id in mine]
        start = int(self._get_param("NextToken") or 0)
        end = start + int(size or len(found))
        page = {"Snapshots": [_wire(region, snapshot) for snapshot in found[start:end]]}
        return _action_result({**page, "NextToken": str(end)} if end < len(found) else page)

    return describe_snapshots


def _delete_snapshot(region: "Region", old: Moto) -> Moto:
    def delete_snapshot(self: Moto, snapshot_id: str) -> Moto:
        if snapshot_id not in self.snapshots:
            raise _error(ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."))
        snapshot = old(self, snapshot_id)
        region.snapshots.delete(snapshot_id)
        return snapshot

    return delete_snapshot


def _status(region: "Region", _old: Moto) -> Moto:
    return property(lambda self: region.snapshots.state(self.id), lambda _self, _value: None)


def _progress(region: "Region", _old: Moto) -> Moto:
    return property(lambda self: region.snapshots.progress(self.id))


def _wire(region: "Region", snapshot: Moto) -> dict[str, Any]:
    """A snapshot as the API spells it."""
    held = {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "VolumeSize": snapshot.volume_size,
        "State": region.snapshots.state(snapshot.id),
        "StateMessage": region.snapshots.message(snapshot.id),
        "Progress": region.snapshots.progress(snapshot.id),
        "StartTime": snapshot.start_time,
        "Description": snapshot.description,
        "OwnerId": snapshot.owner_id,
        "Encrypted": snapshot.encrypted,
        "KmsKeyId": snapshot.kms_key_id,
        "StorageTier": snapshot.storage_tier,
        "Tags": snapshot.tag_set,
    }
    return {key: value for key, value in held.items() if value is not None}


def instance_states(region: "Region") -> list[tuple[str, str]]:
    """(id, state) of every instance, seen by no fault and no recorder."""
    backend = ec2_backends[region.account][region.region]
    return [(str(instance.id), str(instance.state)) for instance in backend.all_instances()]


def _action_result(result: Moto) -> Moto:

    return ActionResult(result)


def _error(error: ApiError) -> Exception:

    raised: Exception = EC2ClientError(error.code, error.message)
    return raised


HOOKS = (
    Hook(
        f"{EBS}EBSBackend.create_volume",
        "moto's volumes hold no data, and one can be made of a pending snapshot.",
        _create_volume,
        VOLUME_PARAMETERS,
    ),
    Hook(f"{EBS}EBSBackend.delete_volume", "moto's volumes hold no data.", _delete_volume, ("self", "volume_id")),
    Hook(
        f"{EBS}EBSBackend.attach_volume",
        "moto attaches a volume twice and two volumes to one device, and to a machine that does not exist.",
        _attach,
        ("self", "volume_id", "instance_id", "device_path", "delete_on_termination"),
    ),
    Hook(
        f"{EBS}EBSBackend.detach_volume",
        "moto ends a second detach in a TypeError.",
        _detach,
        ("self", "volume_id", "instance_id", "device_path"),
    ),
    Hook(f"{INSTANCE}stop", "moto's instances have no processes that would end.", _power_off, ("self",)),
    Hook(f"{INSTANCE}terminate", "moto's instances have no processes that would end.", _power_off, ("self",)),
    Hook(f"{INSTANCE}start", "moto's instances have no processes.", _power_on, ("self",)),
    Hook(
        f"{EBS}EBSBackend.create_snapshot",
        "moto forgets the key of an encrypted volume's snapshot.",
        _create_snapshot,
        ("self", "volume_id", "description", "owner_id", "from_ami"),
    ),
    Hook(f"{RESPONSES}create_snapshot", "moto's snapshots hold no data.", _create_one, ("self",)),
    Hook(
        f"{RESPONSES}create_snapshots",
        "moto ignores ExcludeDataVolumeIds and CopyTagsFromSource, answers without State and cuts nothing.",
        _create_snapshots,
        ("self",),
    ),
    Hook(
        f"{RESPONSES}describe_snapshots",
        "moto ignores paging and owners, and ends an unknown id without a message.",
        _describe_snapshots,
        ("self",),
    ),
    Hook(
        f"{EBS}EBSBackend.delete_snapshot", "moto's snapshots hold no data.", _delete_snapshot, ("self", "snapshot_id")
    ),
    Hook(f"{EBS}Snapshot.status", "moto's snapshots are completed at once.", _status, added=True),
    Hook(f"{EBS}Snapshot.progress", "moto's snapshots are at 100% at once.", _progress),
)
