"""Parts of the order that ``stage`` is given, the same for a whole cluster and for one node."""

from collections.abc import Iterable, Mapping

from aerokeep.aws.vault import Points
from aerokeep.model.files import VaultFile
from aerokeep.model.inventory import InventoryDevice, Mount
from aerokeep.model.stage import StageDevice, StageFile, StageFiles, StageMount, StageVolume

CLOCK_ERROR_S = 1.0
"""A clock that is wrong by more expires records, or keeps them, that it should not (aerospike.md §I 25)."""


def stage_volume(volume_id: str, mount: Mount | None) -> StageVolume:
    """A volume that must be there, and where it is mounted."""
    return StageVolume(volume_id=volume_id, mount=None if mount is None else StageMount(**mount.model_dump()))


def stage_devices(devices: Iterable[InventoryDevice], now: Mapping[str, str]) -> tuple[StageDevice, ...]:
    """The paths of the conf, each with the volume that it must lead to now.

    Args:
        devices: as the inventory has them.
        now: the inventory's volume id → the one that took its place.

    """
    return tuple(
        StageDevice(
            namespace=device.namespace,
            path=device.path,
            role=device.role,
            volume_id=now.get(device.volume_id) if device.volume_id else None,
        )
        for device in devices
    )


def stage_files(files: Iterable[VaultFile], points: Points) -> StageFiles:
    """Files that take the place of the host's; addresses live for minutes, so this is made when a host is asked."""
    return StageFiles(
        action="replace", files=tuple(StageFile.of(file, points.presigned_read(file.key)) for file in files)
    )
