"""Ids as EC2 takes them: well formed, and for some moments after their making unknown to other calls."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.region.faults import ApiError


@dataclass(frozen=True)
class Kind:
    """A kind of id."""

    prefix: str
    malformed: str
    """The code for an id with the right prefix and a wrong rest."""
    foreign: str
    """The code for anything else."""
    unknown: str
    words: str
    """What the message calls it."""

    def is_well_formed(self, value: str) -> bool:
        """Eight or seventeen hexadecimal digits behind the prefix."""
        return re.fullmatch(rf"{self.prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", value) is not None

    def missing(self, value: str) -> ApiError:
        """What a call says that does not know it."""
        return ApiError(self.unknown, f"The {self.words} '{value}' does not exist.")


INVALID = "InvalidParameterValue"
INSTANCE = Kind(
    "i", "InvalidInstanceID.Malformed", "InvalidInstanceID.Malformed", "InvalidInstanceID.NotFound", "instance ID"
)
VOLUME = Kind("vol", "InvalidVolumeID.Malformed", INVALID, "InvalidVolume.NotFound", "volume")
SNAPSHOT = Kind("snap", "InvalidSnapshotID.Malformed", INVALID, "InvalidSnapshot.NotFound", "snapshot")
INTERFACE = Kind(
    "eni",
    "InvalidNetworkInterfaceId.Malformed",
    "InvalidNetworkInterfaceId.Malformed",
    "InvalidNetworkInterfaceID.NotFound",
    "networkInterface ID",
)
IMAGE = Kind("ami", "InvalidAMIID.Malformed", "InvalidAMIID.Malformed", "InvalidAMIID.NotFound", "image id")
KINDS = (INSTANCE, VOLUME, SNAPSHOT, INTERFACE, IMAGE)
PARAMETERS: dict[str, Kind] = {
    "InstanceId": INSTANCE,
    "InstanceIds": INSTANCE,
    "VolumeId": VOLUME,
    "VolumeIds": VOLUME,
    "SnapshotId": SNAPSHOT,
    "SnapshotIds": SNAPSHOT,
    "SourceSnapshotId": SNAPSHOT,
    "NetworkInterfaceId": INTERFACE,
    "NetworkInterfaceIds": INTERFACE,
    "ImageId": IMAGE,
    "ImageIds": IMAGE,
}
"""Where ids stand in requests, at whatever depth."""


class Visibility:
    """Which resources are still hidden."""

    def __init__(self) -> None:
        self._from: dict[str, float] = {}

    def hide(self, resource_id: str, seconds: float) -> None:
        """It has just been made: others do not know it yet."""
        if seconds > 0:
            self._from[resource_id] = time.monotonic() + seconds

    def is_visible(self, resource_id: str) -> bool:
        """Other calls know it by now."""
        return time.monotonic() >= self._from.get(resource_id, 0.0)

    def check(self, request: Mapping[str, Any]) -> None:
        """Look at all ids of a request.

        Raises:
            ApiError: one is malformed, or not known yet.

        """
        for name, value in _values(request):
            kind = PARAMETERS.get(name) or _kind_of(value, tagged=name == "Resources")
            if kind is None or value.startswith("resolve:"):
                continue
            if not kind.is_well_formed(value):
                code = kind.malformed if value.startswith(f"{kind.prefix}-") else kind.foreign
                raise ApiError(code, f'Invalid id: "{value}" (expecting "{kind.prefix}-...")')
            if not self.is_visible(value):
                raise kind.missing(value)


def _kind_of(value: str, *, tagged: bool) -> Kind | None:
    """What is tagged may be of any kind, also of those that are not looked at here."""
    return next((kind for kind in KINDS if tagged and value.startswith(f"{kind.prefix}-")), None)


def _values(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in request.items():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str):
                yield name, entry
            elif isinstance(entry, Mapping):
                yield from _values(entry)
