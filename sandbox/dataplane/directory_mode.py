"""Data plane of folders and plain files, for machines without namespaces, loop devices or root."""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sandbox.dataplane import network, node_programs
from sandbox.dataplane.clock import ClockWorks, path_of
from sandbox.dataplane.directory_node import DirectoryNode
from sandbox.dataplane.directory_volumes import VolumeFolders
from sandbox.dataplane.names import ROOT_DEVICE, instance_store_links, next_kernel_name, volume_links
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlaneError, NodeClock, check_size
from sandbox.dataplane.processes import paused
from sandbox.dataplane.run_id import MARK, NODE_MARK, RunId, make_workdir
from sandbox.dataplane.sweep import sweep

if TYPE_CHECKING:
    import socket

_PAUSE_TIMEOUT_S = 10.0


class DirectoryPlane(node_programs.NodeServices):
    """A node is a folder with the trees that the host program looks at, a volume a file, or a tree if it is a root.

    The folder is named by the node's private address: a relaunched node finds the paths of its conf where they were.
    """

    mode: Literal["directory"] = "directory"
    shortcomings = (
        "nothing is frozen: file-backed data lies on the node's root volume, which is never frozen",
        "a copy includes what was not synced: only what a process holds in its own memory is lost, unlike on EBS",
        "a cut holds all processes of the node still (the host program's lease too) instead of cutting under them",
        "nodes share the machine's network, page cache and process table: there is no private network",
    )

    def __init__(self, workdir: Path | None) -> None:
        """Take a folder below ``workdir`` (or the temporary folder); nothing else happens before `start`."""
        self._run = RunId.new()
        self.workdir = make_workdir(self._run, workdir)
        self.shared = self.workdir / "shared"
        self._lock = threading.RLock()
        self._nodes: dict[str, DirectoryNode] = {}
        self._volumes = VolumeFolders(self.workdir)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._reserved: socket.socket | None = None
        self.network = ""

    # -- all nodes ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the folders."""
        for name in ("shared", "nodes"):
            (self.workdir / name).mkdir()
        self._volumes.start()
        self._clocks = ClockWorks(self.shared)
        self._reserved, self.network = network.reserve_loopback()

    def close(self) -> None:
        """End everything and leave nothing behind."""
        with self._lock:
            if self._closed:
                return
            if self.shared.exists():
                self._clocks.close()
            for node in self._nodes.values():
                node.end()
            sweep(self._run)
            for process in self._processes:
                process.wait()
            if self._reserved is not None:
                self._reserved.close()
            self._closed = True

    def node_ip(self, index: int) -> str:
        """Give the loopback address number ``index`` that a node can have."""
        return network.node_ip(self.network, index)

    def relay(self, port: int) -> None:
        """Do nothing: the nodes share the machine's loopback."""

    # -- nodes -------------------------------------------------------------------------------------------------

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        """Power a node on."""
        network.check_ip(self.network, private_ip)
        with self._lock:
            if instance_id in self._nodes:
                raise DataPlaneError(f"node_exists: {instance_id}")
            if any(node.private_ip == private_ip for node in self._nodes.values()):
                raise DataPlaneError(f"address_in_use: {private_ip}")
            marks = {MARK: self._run.prefix, NODE_MARK: instance_id}
            self._nodes[instance_id] = DirectoryNode(self.workdir / "nodes" / private_ip, private_ip, marks)
            self.set_clock(instance_id, clock)

    def remove_node(self, instance_id: str) -> None:
        """Power loss, as far as folders can show it: all processes end at once."""
        with self._lock:
            node = self._node(instance_id)
            node.end()
            for volume_id in [volume_id for volume_id, home in self._volumes.homes.items() if home == instance_id]:
                if volume_id == node.root_volume:
                    node.volume_tree.rename(self._volumes.volume(volume_id) / "tree")
                self._volumes.homes[volume_id] = None
            shutil.rmtree(node.folder)
            self._clocks.forget(instance_id)
            del self._nodes[instance_id]

    def set_clock(self, instance_id: str, clock: NodeClock) -> None:
        """Change a node's clock."""
        node = self._node(instance_id)
        self._clocks.set(instance_id, clock)
        node_programs.install(self.shared / instance_id, self._environment(node, instance_id, os.environ))

    def _environment(self, node: DirectoryNode, instance_id: str, over: Mapping[str, str]) -> dict[str, str]:
        """What every process of a node gets: its tree, its marks, its clock and its own programs."""
        marks = {"AEROKEEP_ROOT": str(node.folder), **node.marks}
        return marks | self._clocks.environment(instance_id, path_of(over))

    def _node(self, instance_id: str) -> DirectoryNode:
        try:
            return self._nodes[instance_id]
        except KeyError:
            raise DataPlaneError(f"no_node: {instance_id}") from None

    def tree(self, instance_id: str) -> Path:
        """Give the folder that the node's processes have as ``AEROKEEP_ROOT``."""
        return self._node(instance_id).folder

    def host_dir(self, instance_id: str) -> Path:
        """Give the node's own folder, on its root volume."""
        folder = self._node(instance_id).volume_tree / "opt/aerospike"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def seen_as(self, instance_id: str) -> str:
        """Give the same: nodes see the machine's paths."""
        return str(self.host_dir(instance_id))

    def etc_dir(self, instance_id: str) -> Path:
        """Give the machine's path to the node's etc, in its root volume's tree."""
        return self._node(instance_id).volume_tree / "etc"

    def client_network(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: the nodes share the machine's network."""
        return contextlib.nullcontext()

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process of the node."""
        node = self._node(instance_id)
        full = {**os.environ, **(env or {})}
        full |= self._environment(node, instance_id, full)
        node.show_processes()
        process = self._popen(argv, full, popen)
        node.show(process.pid)
        return process

    def spawn_client(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process that belongs to no node."""
        return self._popen(argv, {**os.environ, **(env or {}), MARK: self._run.prefix}, popen)

    def _popen(self, argv: Sequence[str], env: dict[str, str], popen: dict[str, Any]) -> subprocess.Popen[bytes]:
        popen.setdefault("start_new_session", True)
        process: subprocess.Popen[bytes] = subprocess.Popen(list(argv), env=env, **popen)
        self._processes = [other for other in self._processes if other.returncode is None] + [process]
        return process

    # -- volumes -----------------------------------------------------------------------------------------------

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:
        """Make a volume."""
        with self._lock:
            self._volumes.create(volume_id, size_bytes=size_bytes, snapshot_id=snapshot_id)

    def delete_volume(self, volume_id: str) -> None:
        """Delete a detached volume."""
        with self._lock:
            self._volumes.delete(volume_id)

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        """Attach a volume: its file gets a second name among the node's devices."""
        with self._lock:
            node, folder = self._node(instance_id), self._volumes.detached(volume_id)
            if device in node.kernel_names:
                raise DataPlaneError(f"device_in_use: {device} on {instance_id}")
            if root and node.root_volume:
                raise DataPlaneError(f"device_in_use: {instance_id} has the root volume {node.root_volume}")
            kernel_name = ROOT_DEVICE if root else next_kernel_name(set(node.devices))
            node.plug(kernel_name, folder / "image", volume_links(volume_id, device))
            node.kernel_names[device], self._volumes.homes[volume_id] = kernel_name, instance_id
            if root:
                node.take_root(volume_id, folder / "tree")
            return f"/dev/{kernel_name}"

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        """Give the node a device that is lost with it."""
        with self._lock:
            node = self._node(instance_id)
            kernel_name = next_kernel_name(set(node.devices))
            image = node.folder / f"store-{kernel_name}"
            with image.open("xb") as file:
                file.truncate(check_size(size_bytes))
            node.plug(kernel_name, image, instance_store_links(instance_id, kernel_name))
            return f"/dev/{kernel_name}"

    def detach(self, volume_id: str) -> None:
        """Detach a volume."""
        with self._lock:
            image = self._volumes.volume(volume_id) / "image"
            home = self._volumes.homes[volume_id]
            if home is None:
                return
            node = self._node(home)
            if volume_id == node.root_volume:
                raise DataPlaneError(f"root_in_use: {volume_id} is the root of {home}: remove the node")
            node.unplug(next(name for name, path in node.devices.items() if path == image))
            self._volumes.homes[volume_id] = None

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        """Snapshot the node's volumes while all of its processes stand still."""
        with self._lock:
            node = self._node(instance_id)
            if foreign := [volume_id for volume_id in members if self._volumes.homes.get(volume_id) != instance_id]:
                raise DataPlaneError(f"not_attached: {foreign} are no volumes of {instance_id}")
            self._volumes.check_new(*members.values())
            with paused(node.marks, timeout_s=_PAUSE_TIMEOUT_S):
                for volume_id, snapshot_id in members.items():
                    tree = node.volume_tree if node.root_volume == volume_id else None
                    self._volumes.copy(volume_id, snapshot_id, tree=tree)

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume."""
        with self._lock:
            self._volumes.volume(volume_id)
            if home := self._volumes.homes[volume_id]:
                self.cut(home, {volume_id: snapshot_id})
            else:
                self._volumes.check_new(snapshot_id)
                self._volumes.copy(volume_id, snapshot_id, tree=None)

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Make a second snapshot with the content of the first."""
        with self._lock:
            self._volumes.copy_snapshot(source, snapshot_id)

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot (of a root volume: zeroes, as its content is a tree)."""
        with (self._volumes.snapshot(snapshot_id) / "image").open("rb") as image:
            image.seek(offset)
            return image.read(length)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        with self._lock:
            self._volumes.delete_snapshot(snapshot_id)

    def device_path(self, instance_id: str, device: str) -> str:
        """Give the path of the file that stands for a device."""
        node = self._node(instance_id)
        name = node.kernel_names.get(device, device.removeprefix("/dev/"))
        if name not in node.devices:
            raise DataPlaneError(f"no_device: {device} on {instance_id}")
        return str(node.folder / "dev" / name)

    def format_and_mount(self, instance_id: str, device: str, mount_point: str, *, format: bool = True) -> str:  # noqa: A002  # the contract's word
        """Give a folder on the node's root volume: nothing can be mounted here; ``format`` empties it."""
        self.device_path(instance_id, device)
        folder = self._node(instance_id).volume_tree / mount_point.lstrip("/")
        if format:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)
