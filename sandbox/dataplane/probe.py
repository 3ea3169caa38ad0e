"""Find out by trying which data plane this machine can carry; who runs it does not matter."""

import contextlib
import functools
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.dataplane.clock import compiler
from sandbox.dataplane.kernel import LoopDevice
from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.programs import missing, run
from sandbox.dataplane.run_id import RunId
from sandbox.dataplane.sweep import sweep

_PROGRAMS = {
    "util-linux": ("unshare", "nsenter", "mount", "umount", "fsfreeze", "blkid"),
    "iproute2": ("ip",),
    "xfsprogs": ("mkfs.xfs",),
    "e2fsprogs": ("mkfs.ext4",),
}
_TRIAL_BYTES = 512 << 20
_NETWORK_TRIAL = "ip link add aerokeep0 type bridge && ip link add v0 type veth peer name v1"
_REFLINK_TRIAL = 'mount -t xfs "$1" "$2" && echo x >"$2/a" && cp --reflink=always "$2/a" "$2/b"'
_FREEZE_TRIAL = 'mount -t xfs "$1" "$2" && fsfreeze -f "$2" && fsfreeze -u "$2"'
_UNSHARE = (
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--net",
    "--uts",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child",
)


@dataclass(frozen=True)
class Probe:
    """What this machine has, and what it lacks in words."""

    namespaces: bool
    loops: bool
    reflinks: bool
    fsfreeze: bool
    clocks: bool
    missing: tuple[str, ...]

    @property
    def suffices(self) -> bool:
        """Whether the namespaces mode can be carried (clocks of their own are asked for node by node)."""
        return self.namespaces and self.loops and self.reflinks and self.fsfreeze


@functools.cache
def probe() -> Probe:
    """Try everything once, in a folder that is gone afterwards."""
    if sys.platform != "linux":
        return Probe(False, False, False, False, False, (f"Linux (this is {sys.platform})",))
    lacks = [f"{name} of {package}" for package, names in _PROGRAMS.items() for name in missing(*names)]
    run_id = RunId.new()
    folder = Path(tempfile.gettempdir()) / run_id.prefix
    folder.mkdir(mode=0o700)
    try:
        namespaces = _namespaces(lacks)
        loop = _pool(folder, run_id.prefix, lacks) if namespaces else None
        try:
            reflinks = loop is not None and _mounted(loop, folder, _REFLINK_TRIAL, "XFS with reflinks", lacks)
            freezes = loop is not None and _mounted(loop, folder, _FREEZE_TRIAL, "fsfreeze", lacks)
        finally:
            if loop is not None:
                loop.close()
    finally:
        sweep(run_id)
    if not (clocks := compiler() is not None):
        lacks.append("a C compiler (only for clocks with offset or drift)")
    return Probe(namespaces, loop is not None, reflinks, freezes, clocks, tuple(lacks))


def _namespaces(lacks: list[str]) -> bool:
    try:
        run([*_UNSHARE, "sh", "-c", _NETWORK_TRIAL])
        os.close(os.pidfd_open(os.getpid()))
    except (DataPlaneError, OSError) as error:
        lacks.append(f"namespaces with a bridge and veth: {error}")
        return False
    return True


def _pool(folder: Path, prefix: str, lacks: list[str]) -> LoopDevice | None:
    image = folder / f"{prefix}-probe.img"
    try:
        with image.open("xb") as file:
            file.truncate(_TRIAL_BYTES)
        run(["mkfs.xfs", "-q", "-m", "reflink=1", "-K", str(image)])
        return LoopDevice(image, nodes=folder)
    except (DataPlaneError, OSError) as error:
        lacks.append(f"loop devices: {error}")
        return None


def _mounted(loop: LoopDevice, folder: Path, trial: str, what: str, lacks: list[str]) -> bool:
    point = folder / "pool"
    with contextlib.suppress(FileExistsError):
        point.mkdir()
    try:
        run([*_UNSHARE, "sh", "-c", trial, "trial", loop.path, str(point)])
    except DataPlaneError as error:
        lacks.append(f"{what}: {error}")
        return False
    return True
