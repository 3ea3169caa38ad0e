"""Data plane of namespaces, loop devices and reflinks: filesystems freeze and volumes are cut as on EC2."""

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sandbox.dataplane import network, node_programs
from sandbox.dataplane.clock import ClockWorks, path_of
from sandbox.dataplane.ground import Ground
from sandbox.dataplane.kernel import LoopDevice, network_namespace
from sandbox.dataplane.names import ROOT_DEVICE, instance_store_links, next_kernel_name, volume_links
from sandbox.dataplane.node_namespace import Node
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlaneError, NodeClock, check_size
from sandbox.dataplane.programs import make_ext4, run, tried
from sandbox.dataplane.relay import Relay
from sandbox.dataplane.run_id import MARK, NODE_MARK, RunId, make_workdir
from sandbox.dataplane.sweep import sweep
from sandbox.dataplane.volumes import VolumeStore

_SEEN_AS = "/opt/aerospike"


@dataclass
class _Attached:
    """What is plugged into a node, by EC2 device name."""

    kernel_names: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)


class NamespacesPlane(node_programs.NodeServices):
    """A node is a set of namespaces, a volume a loop device over its part of the node's backing file."""

    mode: Literal["namespaces"] = "namespaces"
    shortcomings: tuple[str, ...] = (
        "volumes may have logical sectors of 4 KiB (direct I/O on reflinks), where those of EBS have 512 bytes",
        "devices have no NVMe controller: by-id links name them, and /sys shows the loop devices of the machine",
    )
    network = network.CIDR

    def __init__(self, workdir: Path | None) -> None:
        """Take a folder below ``workdir`` (or the temporary folder); nothing else happens before `start`."""
        self._run = RunId.new()
        self.workdir = make_workdir(self._run, workdir)
        self.shared = self.workdir / "shared"
        self._lock = threading.RLock()
        self._nodes: dict[str, Node] = {}
        self._attached: dict[str, _Attached] = {}
        self._ports: list[int] = []
        self._serial = 0
        self._started = False
        self._closed = False

    # -- all nodes ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the pool, the hub and the warden that ends everything with us."""
        self.shared.mkdir()
        self._ground = Ground(self.workdir, prefix=self._run.prefix, marks={MARK: self._run.prefix})
        self._store = VolumeStore(self._ground.pool, self._run.prefix)
        self._clocks = ClockWorks(self.shared)
        self._relay = Relay()
        self._started = True

    def close(self) -> None:
        """End everything and leave nothing behind."""
        with self._lock:
            if self._closed:
                return
            for instance_id in list(self._nodes):
                self._end_node(instance_id)
            if self._started:
                self._relay.close()
                self._clocks.close()
                self._ground.close()
            sweep(self._run)
            self._closed = True

    def node_ip(self, index: int) -> str:
        """Give the private address number ``index`` that a node can have."""
        return network.node_ip(self.network, index)

    def relay(self, port: int) -> None:
        """Make the machine's 127.0.0.1:port answer in every node, present and future."""
        with self._lock:
            self._ports.append(port)
            for node in self._nodes.values():
                self._relay.open(node.instance_id, node.pid, port)

    # -- nodes -------------------------------------------------------------------------------------------------

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        """Power a node on."""
        network.check_ip(self.network, private_ip)
        with self._lock:
            if instance_id in self._nodes:
                raise DataPlaneError(f"node_exists: {instance_id}")
            if any(node.private_ip == private_ip for node in self._nodes.values()):
                raise DataPlaneError(f"address_in_use: {private_ip}")
            self._set_clock(instance_id, clock)
            self._serial += 1
            env = {MARK: self._run.prefix, NODE_MARK: instance_id}
            backing = self._store.backing(instance_id)
            log = self.workdir / "logs" / instance_id
            node = Node(instance_id, warden=self._ground.pid, private_ip=private_ip, backing=backing, env=env, log=log)
            self._nodes[instance_id], self._attached[instance_id] = node, _Attached()
            network.connect(self._ground.pid, node.pid, private_ip=private_ip, serial=self._serial)
            for port in self._ports:
                self._relay.open(instance_id, node.pid, port)

    def remove_node(self, instance_id: str) -> None:
        """Power loss: what was not written through at this instant is lost."""
        with self._lock:
            backing = self._node(instance_id).backing
            last = self._store.clone(backing)
            self._end_node(instance_id)
            for volume in list(backing.volumes.values()):
                self._store.move_out(volume, backing, source=last)
            last.unlink()
            backing.file.unlink()

    def _end_node(self, instance_id: str) -> None:
        self._relay.forget(instance_id)
        self._node(instance_id).end()
        del self._nodes[instance_id], self._attached[instance_id]
        self._clocks.forget(instance_id)

    def set_clock(self, instance_id: str, clock: NodeClock) -> None:
        """Change a node's clock."""
        self._node(instance_id)
        self._set_clock(instance_id, clock)

    def _set_clock(self, instance_id: str, clock: NodeClock) -> None:
        self._clocks.set(instance_id, clock)
        node_programs.install(self.shared / instance_id, self._environment(instance_id, os.environ))

    def _environment(self, instance_id: str, over: Mapping[str, str]) -> dict[str, str]:
        """What every process of a node gets: its tree, its marks, its clock and its own programs."""
        own = {"AEROKEEP_ROOT": "/", MARK: self._run.prefix, NODE_MARK: instance_id}
        return own | self._clocks.environment(instance_id, path_of(over))

    def _node(self, instance_id: str) -> Node:
        try:
            return self._nodes[instance_id]
        except KeyError:
            raise DataPlaneError(f"no_node: {instance_id}") from None

    def _running(self, instance_id: str, *, root_device: str | None = None) -> Node:
        """Give the node, booted: on its root volume, or without one when it is first used."""
        node = self._node(instance_id)
        with node.lock:
            if not node.booted:
                node.boot(mount_at=self.workdir / "root", root_device=root_device, shared=self.shared)
        return node

    def host_dir(self, instance_id: str) -> Path:
        """Give the machine's path to the node's own folder."""
        return self._running(instance_id).root / _SEEN_AS.lstrip("/")

    def seen_as(self, instance_id: str) -> str:
        """Give the node's path to its own folder."""
        self._node(instance_id)
        return _SEEN_AS

    def etc_dir(self, instance_id: str) -> Path:
        """Give the machine's path to the node's /etc."""
        return self._running(instance_id).root / "etc"

    def client_network(self) -> AbstractContextManager[None]:
        """Let this thread make its sockets in the hub's network meanwhile."""
        return network_namespace(self._ground.pid)

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process on the node."""
        full = {**os.environ, **(env or {})}
        full |= self._environment(instance_id, full)
        return self._running(instance_id).spawn(argv, env=full, **popen)

    def spawn_client(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process in the hub's network."""
        return self._ground.spawn_client(argv, env={**os.environ, **(env or {})}, **popen)

    # -- volumes -----------------------------------------------------------------------------------------------

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:
        """Make a volume."""
        with self._lock:
            self._store.create(volume_id, size_bytes=size_bytes, snapshot_id=snapshot_id)

    def delete_volume(self, volume_id: str) -> None:
        """Delete a detached volume."""
        with self._lock:
            self._store.delete(volume_id)

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        """Attach a volume; a root volume without a filesystem gets one."""
        with self._lock:
            node, attached = self._node(instance_id), self._attached[instance_id]
            if device in attached.kernel_names:
                raise DataPlaneError(f"device_in_use: {device} on {instance_id}")
            if root and node.booted:
                raise DataPlaneError(f"root_too_late: {instance_id} runs already without a root volume")
            volume = self._store.move_in(volume_id, node.backing, instance_id)
            kernel_name = ROOT_DEVICE if root else next_kernel_name(set(node.loops))
            loop = self._loop(node, volume.offset, volume.size_bytes)
            node.plug(kernel_name, loop, volume_links(volume_id, device))
            attached.kernel_names[device], attached.volumes[volume_id] = kernel_name, device
            if root:
                if not tried(["blkid", "--probe", loop.path]):
                    make_ext4(loop.path)
                self._running(instance_id, root_device=loop.path)
            return f"/dev/{kernel_name}"

    def _loop(self, node: Node, offset: int, size_bytes: int) -> LoopDevice:
        return LoopDevice(node.backing.file, offset=offset, size_bytes=size_bytes, nodes=self.workdir / "dev")

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        """Give the node a device that is lost with it."""
        with self._lock:
            node = self._node(instance_id)
            offset = node.backing.reserve(check_size(size_bytes))
            kernel_name = next_kernel_name(set(node.loops))
            loop = self._loop(node, offset, size_bytes)
            node.plug(kernel_name, loop, instance_store_links(instance_id, kernel_name))
            return f"/dev/{kernel_name}"

    def detach(self, volume_id: str) -> None:
        """Detach a volume.

        Raises:
            DataPlaneError: it is the root volume, or it is mounted: EC2 waits until the guest has unmounted it.

        """
        with self._lock:
            volume = self._store.volume(volume_id)
            if volume.instance_id is None:
                return
            node, attached = self._node(volume.instance_id), self._attached[volume.instance_id]
            kernel_name = attached.kernel_names[attached.volumes[volume_id]]
            if kernel_name == ROOT_DEVICE:
                raise DataPlaneError(f"root_in_use: {volume_id} is the root of {volume.instance_id}: remove the node")
            if mounted := node.mounted_at(kernel_name):
                raise DataPlaneError(f"volume_mounted: {volume_id} is mounted at {', '.join(mounted)}")
            self._store.move_out(volume, node.backing)
            node.unplug(kernel_name)
            del attached.kernel_names[attached.volumes.pop(volume_id)]

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        """Snapshot the node's volumes at one instant: one clone of its backing file."""
        with self._lock:
            self._store.cut(self._node(instance_id).backing, members)

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume."""
        with self._lock:
            self._store.cut_volume(volume_id, snapshot_id)

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Make a second snapshot with the bytes of the first."""
        with self._lock:
            self._store.copy_snapshot(source, snapshot_id)

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot."""
        return self._store.read(snapshot_id, offset=offset, length=length)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        with self._lock:
            self._store.delete_snapshot(snapshot_id)

    def device_path(self, instance_id: str, device: str) -> str:
        """Give the kernel path of a device in the node."""
        node = self._node(instance_id)
        name = self._attached[instance_id].kernel_names.get(device, device.removeprefix("/dev/"))
        if name not in node.loops:
            raise DataPlaneError(f"no_device: {device} on {instance_id}")
        return f"/dev/{name}"

    def format_and_mount(self, instance_id: str, device: str, mount_point: str, *, format: bool = True) -> str:  # noqa: A002  # the contract's word
        """Mount a device in the node."""
        node = self._running(instance_id)
        path = self.device_path(instance_id, device)
        if format:
            make_ext4(node.loops[path.removeprefix("/dev/")].path)
        run(node.enter(["mkdir", "-p", mount_point]))
        run(node.enter(["mount", "-t", "ext4", path, mount_point]))
        return mount_point
