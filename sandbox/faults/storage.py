"""Faults of what EBS makes: snapshots and volumes that end in ``error``, and snapshots that take long."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sandbox.faults.kinds import KmsFault, SnapshotFault
from sandbox.faults.parts import NodeName
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.region import ApiCall

KEY_UNUSABLE = "Given key ID is not accessible"
"""As EBS words it in StateMessage."""
Moto = Any


def arm_snapshot(fault: SnapshotFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Break, or slow down, the snapshots of a set as soon as it has been cut."""
    ledger = site.region.snapshots

    def strike(snapshots: list[str]) -> None:
        if fault.fate == "error":
            ledger.fail(snapshots[0], fault.message)
        else:
            for snapshot_id in snapshots:
                ledger.hold(snapshot_id, fault.pending_s or 0.0)

    return _cutting(fault.node, strike, tally, site)


def arm_kms_snapshots(fault: KmsFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Let a set fail because its key can't be used."""
    return _cutting(fault.node, lambda made: site.region.snapshots.fail(made[0], KEY_UNUSABLE), tally, site)


def _cutting(
    node: NodeName, strike: Callable[[list[str]], None], tally: Tally, site: Site
) -> AbstractContextManager[None]:
    """Strike what a CreateSnapshots has made for a node."""
    made = _Made(lambda: site.region.ec2.backend.snapshots)

    def before(call: ApiCall) -> None:
        if _is_cut(call):
            made.look()

    def after(call: ApiCall) -> None:
        if not _is_cut(call):
            return
        instance_id = call.params.get("InstanceSpecification", {}).get("InstanceId", "")
        volumes = {volume.id for volume in site.region.ec2.backend.volumes.values() if _of(volume) == instance_id}
        members = [snapshot.id for snapshot in made.since() if snapshot.volume_id in volumes]
        if members and site.is_node(instance_id, node) and tally.due(f"the set of {site.number(instance_id)}"):
            strike(members)

    return site.region.faults.during(before=before, after=after)


def _is_cut(call: ApiCall) -> bool:
    return (call.service, call.action) == ("ec2", "CreateSnapshots")


def _of(volume: Moto) -> str:
    return str(volume.attachment.instance.id) if volume.attachment else ""


def arm_kms_volumes(_fault: KmsFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Let a volume fail because its key can't be used."""
    made = _Made(lambda: site.region.ec2.backend.volumes)

    def before(call: ApiCall) -> None:
        if (call.service, call.action) == ("ec2", "CreateVolume"):
            made.look()

    def after(call: ApiCall) -> None:
        if (call.service, call.action) == ("ec2", "CreateVolume"):
            for volume in made.since()[:1]:
                if tally.due(f"{volume.id} out of {volume.snapshot_id or 'nothing'}"):
                    site.region.ec2.volumes.fail(volume.id)

    return site.region.faults.during(before=before, after=after)


class _Made:
    """Tells what a request has made; a request is served by one thread from beginning to end."""

    def __init__(self, held: Callable[[], dict[str, Moto]]) -> None:
        self._held, self._seen = held, threading.local()

    def look(self) -> None:
        """Remember what is there."""
        self._seen.ids = set(self._held())

    def since(self) -> list[Moto]:
        """What has come since."""
        seen: set[str] = getattr(self._seen, "ids", set())
        return [made for made_id, made in list(self._held().items()) if made_id not in seen]
