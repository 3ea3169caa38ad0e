"""EBS snapshots: with states, and one instant per set."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult

from sandbox.region.hooks.ec2_describing import page
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.ec2_snapshot_care import known
from sandbox.region.hooks.hook import Hook
from sandbox.region.snapshot_sets import Exclusions, members

if TYPE_CHECKING:
    from sandbox.region.region import Region

EBS = "moto.ec2.models.elastic_block_store:"
RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
Moto = Any


def _create_snapshots(region: "Region", _old: Moto) -> Moto:
    def create_snapshots(self: Moto) -> Moto:
        spec = self._get_param("InstanceSpecification", {})
        description = self._get_param("Description", "")
        tags = self._parse_tag_specification().get("snapshot", {})
        instance = self.ec2_backend.get_instance(spec["InstanceId"])
        attached = {device: block.volume_id for device, block in instance.get_block_device_mapping}
        boot = str(spec.get("ExcludeBootVolume", False)).lower() == "true"
        without = Exclusions(boot=boot, data=list(spec.get("ExcludeDataVolumeIds", None) or []))
        with refusing():
            most = region.pace.quotas.volumes_per_set
            chosen = members(attached, root_device=instance.root_device_name, without=without, most=most)
            self.error_on_dryrun()
            volumes = [self.ec2_backend.get_volume(volume_id) for volume_id in chosen]
            half_s = region.pace.create_snapshots_s / 2
            with region.snapshots.reserved({volume.id: volume.volume_type for volume in volumes}):
                time.sleep(half_s)
                made = {volume.id: self.ec2_backend.create_snapshot(volume.id, description) for volume in volumes}
                if self._get_param("CopyTagsFromSource") == "volume":
                    for volume in volumes:
                        made[volume.id].add_tags({t["key"]: t["value"] for t in volume.get_tags()})
                started = _cut(region, spec["InstanceId"], made, region.ec2.keys.doom(*(v.kms_key_id for v in volumes)))
        for snapshot in made.values():
            snapshot.start_time = started
            snapshot.add_tags(tags)
            region.ec2.visibility.hide(snapshot.id, region.pace.snapshot_invisible_s)
        time.sleep(half_s)
        return ActionResult({"Snapshots": [_wire(region, snapshot) for snapshot in made.values()]})

    return create_snapshots


def _cut(region: "Region", instance_id: str, made: dict[str, Moto], doom: str) -> datetime:
    """The instant itself; AWS shares one StartTime among a set."""
    started = datetime.now(UTC).replace(tzinfo=None)
    taken = {volume_id: snapshot.id for volume_id, snapshot in made.items()}
    region.snapshots.cut_set(instance_id, taken, powered=region.mirror.is_on(instance_id), doom=doom)
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
        with refusing(), region.snapshots.reserved({volume.id: volume.volume_type}):
            snapshot = self.ec2_backend.create_snapshot(volume.id, self._get_param("Description", ""))
            region.snapshots.cut_one(volume.id, snapshot.id, doom=region.ec2.keys.doom(volume.kms_key_id))
        snapshot.add_tags(tags)
        region.ec2.visibility.hide(snapshot.id, region.pace.snapshot_invisible_s)
        return ActionResult(_wire(region, snapshot))

    return create_snapshot


def _describe_snapshots(region: "Region", _old: Moto) -> Moto:
    def describe_snapshots(self: Moto) -> Moto:
        ids = self._get_param("SnapshotIds", [])
        with refusing():
            region.ec2.pages.check(self._get_param("MaxResults"), ids=ids, words="snapshotSet")
        for snapshot_id in ids:
            known(self.ec2_backend, snapshot_id)
        self.error_on_dryrun()
        found = self.ec2_backend.describe_snapshots(snapshot_ids=ids, filters=self._filters_from_querystring())
        if owners := self._get_param("OwnerIds", []):
            mine = {region.account if owner == "self" else owner for owner in owners}
            found = [snapshot for snapshot in found if snapshot.owner_id in mine]
        wired = [_wire(region, snapshot) for snapshot in found if region.ec2.visibility.is_visible(snapshot.id)]
        return ActionResult(page(region, self, "Snapshots", wired))

    return describe_snapshots


def _delete_snapshot(region: "Region", old: Moto) -> Moto:
    def delete_snapshot(self: Moto, snapshot_id: str) -> Moto:
        known(self, snapshot_id)
        with refusing():
            region.ec2.locks.check_delete(snapshot_id)
        snapshot = old(self, snapshot_id)
        region.snapshots.delete(snapshot_id)
        region.ec2.locks.forget(snapshot_id)
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


HOOKS = (
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
        "moto ignores paging, owners and DryRun, and ends an unknown id without a message.",
        _describe_snapshots,
        ("self",),
    ),
    Hook(
        f"{EBS}EBSBackend.delete_snapshot",
        "moto's snapshots hold no data and have no locks.",
        _delete_snapshot,
        ("self", "snapshot_id"),
    ),
    Hook(f"{EBS}Snapshot.status", "moto's snapshots are completed at once.", _status, added=True),
    Hook(f"{EBS}Snapshot.progress", "moto's snapshots are at 100% at once.", _progress),
)
