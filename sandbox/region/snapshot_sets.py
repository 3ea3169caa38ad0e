"""Which volumes a set of snapshots has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.region.faults import ApiError

MOST_EXCLUDED = 40


@dataclass(frozen=True)
class Exclusions:
    """What a CreateSnapshots request leaves out."""

    boot: bool
    data: Sequence[str]


def members(attached: Mapping[str, str], *, root_device: str, without: Exclusions, most: int) -> list[str]:
    """The volumes of a set: all of `attached` (device → volume id) but the excluded ones.

    Raises:
        ApiError: an excluded id is the root volume's, or none of the instance's, or there are too many of them, or
            too many are left.

    """
    root = attached.get(root_device)
    if len(without.data) > MOST_EXCLUDED:
        raise ApiError("InvalidParameterValue", f"ExcludeDataVolumeIds takes at most {MOST_EXCLUDED} volumes")
    for volume_id in without.data:
        if volume_id == root:
            raise ApiError("InvalidParameterValue", f"Volume {volume_id} is the root volume: use ExcludeBootVolume")
        if volume_id not in attached.values():
            raise ApiError("InvalidParameterValue", f"Volume {volume_id} is not attached to the instance")
    chosen = [v for d, v in attached.items() if v not in without.data and not (without.boot and d == root_device)]
    if not chosen:
        raise ApiError("InvalidParameterValue", "No volumes are left to take snapshots of")
    if len(chosen) > most:
        raise ApiError("InvalidParameterValue", f"A set has at most {most} volumes, not {len(chosen)}")
    return chosen
