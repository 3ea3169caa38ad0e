"""One node of the directory mode: the trees that the host program looks at, and who belongs to them."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.dataplane.names import ROOT_DEVICE
from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.processes import marked, send, thread_states
from sandbox.systemd.units import PACKAGE_FOLDER, PACKAGED

END_TIMEOUT_S = 15.0
_POLL_S = 0.01
_AS_MADE = [Path("etc"), Path("etc/hostname")]
"""What the tree of a root volume holds before anybody used it."""
_SHARED_PROC = ("cpuinfo", "loadavg", "meminfo", "stat", "sys", "uptime", "version")


class DirectoryNode:
    """A folder that serves as ``AEROKEEP_ROOT``."""

    def __init__(self, folder: Path, private_ip: str, marks: Mapping[str, str]) -> None:
        """Make the trees; ``marks`` are the variables that all processes of the node carry."""
        self.folder = folder
        self.private_ip = private_ip
        self.marks = dict(marks)
        self.devices: dict[str, Path] = {}
        self.kernel_names: dict[str, str] = {}
        self.root_volume: str | None = None
        self._links: dict[str, list[str]] = {}
        for name in ("dev/disk/by-id", "proc/self", "run", "sys/block", "sys/class/block", "volume"):
            (folder / name).mkdir(parents=True)
        (folder / "etc").symlink_to("volume/etc")
        units = folder / PACKAGE_FOLDER.lstrip("/")
        units.mkdir(parents=True)
        for name, text in PACKAGED.items():
            (units / name).write_text(text)
        for name in _SHARED_PROC:
            (folder / "proc" / name).symlink_to(f"/proc/{name}")
        # As on an instance whose one filesystem is the root volume's: every path is on it.
        (folder / "proc/self/mountinfo").write_text(f"1 1 259:0 / / rw,relatime - ext4 /dev/{ROOT_DEVICE} rw\n")
        self._build_etc()

    @property
    def volume_tree(self) -> Path:
        """What the root volume holds."""
        return self.folder / "volume"

    def _build_etc(self) -> None:
        """Name the host; the rest of etc is the root volume's."""
        etc = self.volume_tree / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "hostname").write_text("ip-" + self.private_ip.replace(".", "-") + "\n")

    @property
    def _unused(self) -> bool:
        return sorted(path.relative_to(self.volume_tree) for path in self.volume_tree.rglob("*")) == _AS_MADE

    def take_root(self, volume_id: str, tree: Path) -> None:
        """Put a root volume's content in place.

        Raises:
            DataPlaneError: the node has been used without a root volume already.

        """
        if self.root_volume or not self._unused:
            raise DataPlaneError(f"root_too_late: {volume_id}: the node runs already without a root volume")
        if tree.exists():
            shutil.rmtree(self.volume_tree)
            tree.rename(self.volume_tree)
            self._build_etc()
        self.root_volume = volume_id

    def plug(self, kernel_name: str, image: Path, links: list[str]) -> None:
        """Show a file as a device, with its links (paths below dev)."""
        dev = self.folder / "dev"
        os.link(image, dev / kernel_name)
        for link in links:
            path = dev / link
            path.symlink_to(os.path.relpath(dev / kernel_name, path.parent))
        self.devices[kernel_name], self._links[kernel_name] = image, links

    def unplug(self, kernel_name: str) -> None:
        """Take a device away."""
        for name in (kernel_name, *self._links.pop(kernel_name)):
            (self.folder / "dev" / name).unlink()
        del self.devices[kernel_name]
        self.kernel_names = {device: name for device, name in self.kernel_names.items() if name != kernel_name}

    def show(self, pid: int) -> None:
        """Let a process appear in the node's /proc."""
        with contextlib.suppress(FileExistsError):
            (self.folder / "proc" / str(pid)).symlink_to(f"/proc/{pid}")

    def show_processes(self) -> None:
        """Bring the node's /proc up to date: children appear, ended ones go."""
        alive = marked(**self.marks)
        for path in (self.folder / "proc").iterdir():
            if path.name.isdigit() and int(path.name) not in alive:
                path.unlink(missing_ok=True)
        for pid in alive:
            self.show(pid)

    def end(self) -> None:
        """End all processes of the node."""
        deadline = time.monotonic() + END_TIMEOUT_S
        while alive := {pid for pid in marked(**self.marks) if set(thread_states(pid)) - set("ZX")}:
            send(alive, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise DataPlaneError(f"not_ended: processes {sorted(alive)} do not end")
            time.sleep(_POLL_S)
