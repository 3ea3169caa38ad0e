"""The light data plane: everything that a region asks of nodes and volumes, kept in memory."""

import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from sandbox.dataplane.plane import TRUE_CLOCK, DataPlaneError, NodeClock, check_size
from sandbox.dataplane.run_id import RunId, make_workdir
from sandbox.light import guarding, scripts, serving, verbs
from sandbox.light.cluster import View, view_of
from sandbox.light.content import Data, Store, Volume
from sandbox.light.host import Host
from sandbox.light.server import Server


class LightPlane:
    """Nodes, volumes and snapshots without a process or a device; host verbs are answered in this process."""

    mode: Literal["light"] = "light"

    def __init__(self, *, start_s: float = 0.05, migrate_s: float = 0.1) -> None:
        """Take a folder for what the region itself keeps.

        Args:
            start_s: from a server's start until it answers.
            migrate_s: from a member's join until migrations have brought what it lacks.

        """
        self.workdir = make_workdir(RunId.new(), None)
        self.start_s, self.migrate_s = start_s, migrate_s
        self.lock = threading.RLock()
        """Held while anything is looked at or changed; never while a host talks to the region."""
        self.store = Store()
        self.hosts: dict[str, Host] = {}
        self._pids = itertools.count(1000)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.workdir, ignore_errors=True)

    # -- nodes

    def host(self, instance_id: str) -> Host:
        """A node that is powered on."""
        if instance_id not in self.hosts:
            raise DataPlaneError(f"no_node: {instance_id}")
        return self.hosts[instance_id]

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        """Power a node on; it boots once the region has plugged its volumes."""
        with self.lock:
            if instance_id in self.hosts:
                raise DataPlaneError(f"node_exists: {instance_id}")
            if any(host.private_ip == private_ip for host in self.hosts.values()):
                raise DataPlaneError(f"address_in_use: {private_ip}")
            self.hosts[instance_id] = Host(instance_id, private_ip, clock)
            self.host_dir(instance_id).mkdir(parents=True, exist_ok=True)

    def remove_node(self, instance_id: str) -> None:
        """Power loss: what was in memory or on instance stores is gone."""
        with self.lock:
            host = self.host(instance_id)
            for volume in (*host.devices.values(), *([host.root] if host.root else [])):
                volume.instance_id = None
            del self.hosts[instance_id]

    def boot(self, instance_id: str) -> None:
        """The operating system is up: mount what fstab says, start the server unless it is masked."""
        with self.lock:
            host = self.host(instance_id)
            host.mount_all()
            serving.launch(host, start_s=self.start_s, pid=next(self._pids))

    def shut_down(self, instance_id: str) -> None:
        """An orderly shutdown ends the server cleanly."""
        with self.lock:
            server = self.host(instance_id).server
            if server is not None:
                server.stop()

    # -- what may befall a node

    def set_clock(self, instance_id: str, clock: NodeClock) -> None:
        """Change a node's clock."""
        with self.lock:
            self.host(instance_id).clock = clock

    def crash(self, instance_id: str) -> None:
        """The server ends where it stands."""
        with self.lock:
            self.host(instance_id).server = None

    def restart(self, instance_id: str) -> None:
        """The server ends cleanly, and begins anew."""
        self.shut_down(instance_id)
        with self.lock:
            serving.launch(self.host(instance_id), start_s=self.start_s, pid=next(self._pids))

    def fill(self, instance_id: str) -> None:
        """No namespace has room any more."""
        with self.lock:
            server = self.host(instance_id).server
            for namespace in server.namespaces.values() if server is not None else ():
                namespace.full = True

    # -- volumes

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:
        """Make a volume."""
        with self.lock:
            self.store.create(volume_id, size_bytes=check_size(size_bytes), snapshot_id=snapshot_id)

    def delete_volume(self, volume_id: str) -> None:
        """Delete a detached volume."""
        with self.lock:
            self.store.delete(volume_id)

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        """Attach a volume; → its kernel path."""
        with self.lock:
            volume = self.store.volume(volume_id)
            if volume.instance_id is not None:
                raise DataPlaneError(f"volume_in_use: {volume_id} is attached to {volume.instance_id}")
            return self.host(instance_id).plug(volume, device, root=root)

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        """Give the node an instance store."""
        with self.lock:
            host = self.host(instance_id)
            return host.plug(Volume(f"store-{len(host.devices)}", size_bytes), "", root=False)

    def detach(self, volume_id: str) -> None:
        """Detach a volume with its content."""
        with self.lock:
            volume = self.store.volume(volume_id)
            if volume.instance_id is not None:
                self.host(volume.instance_id).unplug(volume)

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        """Snapshot the node's volumes at one instant."""
        with self.lock:
            self.host(instance_id)
            self.store.cut(members)

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume, attached or not."""
        with self.lock:
            self.store.cut({volume_id: snapshot_id})

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Give a snapshot's content a second name."""
        with self.lock:
            self.store.copy_snapshot(source, snapshot_id)

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot: a text that says what it holds stands at its beginning, the rest is zeroes."""
        with self.lock:
            return self.store.text_of(snapshot_id)[offset : offset + length].ljust(length, b"\0")

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        with self.lock:
            self.store.delete_snapshot(snapshot_id)

    # -- what runs on a node

    def host_dir(self, instance_id: str) -> Path:
        """A folder for what the region itself writes for a node."""
        return self.workdir / "nodes" / instance_id

    def seen_as(self, instance_id: str) -> str:
        """The same: the machine's path."""
        return str(self.host_dir(instance_id))

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,  # noqa: ARG002  # no process is started
        **popen: Any,  # noqa: ANN401, ARG002  # the protocol's own
    ) -> subprocess.Popen[bytes]:
        """Let a script of the region or of the user data have its effect; → something that has ended already."""
        with self.lock:
            code = scripts.play(self.host(instance_id), argv)
        return cast("subprocess.Popen[bytes]", scripts.Ended(code))

    def run_document(self, instance_id: str, document: str, environment: Mapping[str, str]) -> tuple[int, str]:
        """Answer a verb of the host program; → exit code and the one JSON object."""
        parameters = {name.removeprefix("SSM_"): value for name, value in environment.items()}
        code, reply = verbs.answer(self, instance_id, document.rpartition("aerokeep-")[2], parameters)
        return code, json.dumps(reply, separators=(",", ":"))

    def relay(self, port: int) -> None:
        """Do nothing: hosts live in this process."""

    def next_pid(self) -> int:
        """A number for a new server process."""
        return next(self._pids)

    # -- what a test looks at

    def servers(self, cluster_name: str) -> list[Server]:
        """The running servers of a cluster."""
        with self.lock:
            for host in self.hosts.values():
                guarding.settle(host)
            running = [host.server for host in self.hosts.values() if host.server is not None]
            return [server for server in running if server.cluster_name == cluster_name]

    def view(self, host: Host) -> View | None:
        """The cluster as a host's server sees it; None while it does not answer."""
        with self.lock:
            guarding.settle(host)
            if host.server is None or not host.server.ready:
                return None
            everyone = [other.server for other in self.hosts.values() if other.server is not None]
            return view_of(host.server, everyone, migrate_s=self.migrate_s)

    def write(self, cluster_name: str, namespace: str, data: Data) -> None:
        """Let clients have written: all members hold `data` from now on.

        Raises:
            DataPlaneError: a member rejects writes.

        """
        with self.lock:
            for server in self.servers(cluster_name):
                if server.namespaces[namespace].guarded:
                    raise DataPlaneError(f"forbidden: {server.node_id} rejects writes to {namespace}")
                server.put(namespace, data)
