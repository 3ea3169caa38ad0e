"""A simulated host while it has power: its devices and mounts, and the files on its root volume."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sandbox.dataplane.names import next_kernel_name, volume_links
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlaneError, NodeClock
from sandbox.light.content import Extent, Volume

if TYPE_CHECKING:
    from sandbox.light.server import Server

CONF = "/etc/aerospike/aerospike.conf"
FIRST_START_CONF = "/etc/aerospike/aerokeep-first-start.conf"
UNIT = "/etc/systemd/system/aerospike.service"
"""Only there as a link to /dev/null, when the unit is masked."""
DROP_IN = "/etc/systemd/system/aerospike.service.d/aerokeep-first-start.conf"
FSTAB = "/etc/fstab"
MASKED = b"-> /dev/null"
SEVERAL_WORDS = 3


@dataclass(frozen=True)
class Place:
    """Where a storage path leads: a raw device, or a file on a filesystem."""

    volume: Volume
    file: str | None
    mount_point: str | None = None

    @property
    def extent(self) -> Extent | None:
        """What a server would find there; None where it is blank."""
        return self.volume.content.raw if self.file is None else self.volume.content.extents.get(self.file)

    def put(self, extent: Extent) -> None:
        """Write it."""
        content = self.volume.content
        if self.file is None:
            self.volume.content = replace(content, raw=extent)
        else:
            self.volume.content = replace(content, extents={**content.extents, self.file: extent})


@dataclass(eq=False)
class Host:
    """One node that is powered on; gone with its power, but for what its volumes hold."""

    instance_id: str
    private_ip: str
    clock: NodeClock = TRUE_CLOCK
    devices: dict[str, Volume] = field(default_factory=dict)
    """Kernel name → volume, in order of attachment; the root is not among them."""
    root: Volume | None = None
    mounts: dict[str, Volume] = field(default_factory=dict)
    server: "Server | None" = None
    asides: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Run → files copied aside, in memory as /run is."""
    unmounted: dict[str, dict[str, str]] = field(default_factory=dict)
    """Run → mount point → volume id, of what ``stop`` unmounted."""
    stop: object | None = None
    """The last write stop, as `guarding` keeps it."""
    tombstones: set[str] = field(default_factory=set)
    """Runs for which no write stop begins any more."""
    barred_until_s: float = 0.0
    """By the monotonic clock: until then no write stop begins at all, since writes were resumed by hand."""
    tool_version: str = "4.5.8"
    """Of asbackup and asrestore."""
    job_s: float = 0.2
    """How long a transfer job takes here."""
    job_error: str | None = None
    """The code that parts of jobs fail with here, if they do."""
    job: object | None = None
    """The last transfer job, as `transfers` keeps it."""
    cancelled: set[str] = field(default_factory=set)
    """Runs for which no job begins any more."""
    log: list[str] = field(default_factory=list)
    """What the server last said."""

    # -- devices

    def plug(self, volume: Volume, device: str, *, root: bool) -> str:
        """Show a volume as a device; → its path."""
        volume.instance_id, volume.device, volume.root = self.instance_id, device, root
        if root:
            self.root = volume
            return "/dev/nvme0n1"
        name = next_kernel_name(set(self.devices))
        self.devices[name] = volume
        return f"/dev/{name}"

    def unplug(self, volume: Volume) -> None:
        """Take a device away.

        Raises:
            DataPlaneError: its filesystem is mounted.

        """
        if volume in self.mounts.values():
            raise DataPlaneError(f"busy: {volume.volume_id} is mounted on {self.instance_id}")
        self.devices = {name: other for name, other in self.devices.items() if other is not volume}
        volume.instance_id = None

    def volume_at(self, path: str) -> Volume | None:
        """The volume behind a device path: a kernel name, an EC2 name, or a link by id."""
        for name, volume in self.devices.items():
            if path.removeprefix("/dev/") in (name, *volume_links(volume.volume_id, volume.device)):
                return volume
        return None

    def device_of(self, volume: Volume) -> str:
        """The kernel's path of an attached volume."""
        return next((f"/dev/{name}" for name, other in self.devices.items() if other is volume), "/dev/nvme0n1")

    def place(self, path: str) -> Place | None:
        """Where a storage path of the conf leads; None where there is no such device."""
        if path.startswith("/dev/"):
            volume = self.volume_at(path)
            return None if volume is None else Place(volume, None)
        points = [point for point in self.mounts if path.startswith(point.rstrip("/") + "/")]
        if not points:
            return None if self.root is None else Place(self.root, path, "/")
        point = max(points, key=len)
        return Place(self.mounts[point], path.removeprefix(point), point)

    # -- files on the root volume

    @property
    def files(self) -> Mapping[str, bytes]:
        """Path → bytes."""
        return {} if self.root is None else self.root.content.files

    def read(self, path: str) -> str | None:
        """A text file; None where there is none."""
        found = self.files.get(path)
        return None if found is None else found.decode()

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""
        self._put({**self.files, path: content})

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        self._put({other: content for other, content in self.files.items() if other != path})

    def below(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """(name, content) of the files below a folder."""
        start = folder.rstrip("/") + "/"
        return ((path.removeprefix(start), c) for path, c in self.files.items() if path.startswith(start))

    def move(self, old: str, new: str) -> None:
        """Rename a file, or a folder with all that is in it."""
        self._put({_moved(path, old, new): content for path, content in self.files.items()})

    def _put(self, files: Mapping[str, bytes]) -> None:
        if self.root is None:
            raise DataPlaneError(f"no_root: {self.instance_id} has no root volume")
        self.root.content = replace(self.root.content, files=files)

    # -- the unit

    @property
    def masked(self) -> bool:
        """The server cannot be started."""
        return self.files.get(UNIT) == MASKED

    def mask(self) -> None:
        """Persistently."""
        self.write(UNIT, MASKED)

    def unmask(self) -> None:
        """Let it be started again."""
        self.remove(UNIT)

    @property
    def now(self) -> float:
        """The host's own clock."""
        return time.time() + self.clock.offset_s

    def mount_all(self) -> None:
        """What ``/etc/fstab`` says, as far as the devices are there."""
        for line in (self.read(FSTAB) or "").splitlines():
            words = line.split()
            if len(words) >= SEVERAL_WORDS and (volume := self.volume_at(words[0])) is not None:
                self.mounts.setdefault(words[1], volume)


def _moved(path: str, old: str, new: str) -> str:
    if path == old:
        return new
    return new + path.removeprefix(old) if path.startswith(old.rstrip("/") + "/") else path
