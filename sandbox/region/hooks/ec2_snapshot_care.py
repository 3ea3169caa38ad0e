"""What is done to snapshots that exist: copies with bytes of their own, and locks."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidParameterDependency
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot
from moto.ec2.utils import random_snapshot_id

from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_describing import page
from sandbox.region.hooks.ec2_refusals import refusal, refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
NOBODYS_VOLUME = "vol-ffffffff"
"""A copy names some volume, never the one that its source was made of."""
Moto = Any


def known(backend: Moto, snapshot_id: str) -> Moto:
    """A snapshot of this account and Region.

    Raises:
        EC2ClientError: there is none.

    """
    if snapshot_id not in backend.snapshots:
        raise refusal(ApiError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."))
    return backend.snapshots[snapshot_id]


def _copy(region: "Region", _old: Moto) -> Moto:
    def copy_snapshot(self: Moto) -> Moto:
        ask, backend = self._get_param, self.ec2_backend
        source = known(ec2_backends[region.account][ask("SourceRegion")], ask("SourceSnapshotId"))
        encrypted = source.encrypted or bool(self._get_bool_param("Encrypted", False))
        if ask("KmsKeyId") and not encrypted:
            raise InvalidParameterDependency("KmsKeyId", "Encrypted")
        with refusing():
            region.snapshots.check_completed(source.id)
        self.error_on_dryrun()
        key = _key(region, backend, ask("KmsKeyId")) if encrypted else None
        copy = Snapshot(
            backend, random_snapshot_id(), _seen(source), ask("Description") or "", encrypted=encrypted, kms_key_id=key
        )
        with region.ec2.lock, refusing():
            region.snapshots.copy(source.id, copy.id, doom=region.ec2.keys.doom(source.kms_key_id, key))
            backend.snapshots[copy.id] = copy
        copy.add_tags(self._parse_tag_specification().get("snapshot", {}))
        region.ec2.visibility.hide(copy.id, region.pace.snapshot_invisible_s)
        return ActionResult({"SnapshotId": copy.id, "Tags": copy.tag_set})

    return copy_snapshot


def _key(region: "Region", backend: Moto, key_id: str | None) -> str:
    """The key of an encrypted copy: never the source's by itself."""
    return region.ec2.keys.arn(key_id or backend.default_kms_key_id or backend._create_default_encryption_key())


def _seen(source: Moto) -> Moto:
    """What can be read of a copy's volume."""
    return SimpleNamespace(id=NOBODYS_VOLUME, size=source.volume_size)


def _lock(region: "Region", _old: Moto) -> Moto:
    def lock_snapshot(self: Moto) -> Moto:
        snapshot_id = known(self.ec2_backend, self._get_param("SnapshotId")).id
        self.error_on_dryrun()
        with region.ec2.lock, refusing():
            region.ec2.locks.lock(snapshot_id, dict(self._get_params()))
            return ActionResult(region.ec2.locks.told(snapshot_id))

    return lock_snapshot


def _unlock(region: "Region", _old: Moto) -> Moto:
    def unlock_snapshot(self: Moto) -> Moto:
        snapshot_id = known(self.ec2_backend, self._get_param("SnapshotId")).id
        self.error_on_dryrun()
        with region.ec2.lock, refusing():
            region.ec2.locks.unlock(snapshot_id)
        return ActionResult({"SnapshotId": snapshot_id})

    return unlock_snapshot


def _locked(region: "Region", _old: Moto) -> Moto:
    def describe_locked_snapshots(self: Moto) -> Moto:
        ids = self._get_param("SnapshotIds", [])
        for snapshot_id in ids:
            known(self.ec2_backend, snapshot_id)
        self.error_on_dryrun()
        states = self._filters_from_querystring().get("lock-state")
        found = [region.ec2.locks.told(i) for i in region.ec2.locks.known() if not ids or i in ids]
        found = [{**entry, "OwnerId": region.account} for entry in found if not states or entry["LockState"] in states]
        return ActionResult(page(region, self, "Snapshots", found))

    return describe_locked_snapshots


HOOKS = (
    Hook(
        f"{RESPONSES}copy_snapshot",
        "moto's copies are completed at once, of pending snapshots too, hold no data and name their source's volume.",
        _copy,
        ("self",),
    ),
    Hook(f"{RESPONSES}lock_snapshot", "moto has no snapshot locks.", _lock, added=True),
    Hook(f"{RESPONSES}unlock_snapshot", "moto has no snapshot locks.", _unlock, added=True),
    Hook(f"{RESPONSES}describe_locked_snapshots", "moto has no snapshot locks.", _locked, added=True),
)
