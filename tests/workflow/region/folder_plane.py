"""A data plane of plain folders, for tests of the control plane: nodes are this machine, volumes are small files."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.dataplane.plane import TRUE_CLOCK, DataPlaneError, NodeClock


@dataclass
class FolderPlane:
    """Remembers what it was asked, and runs commands as plain processes."""

    workdir: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="aerokeep-plane-")))
    nodes: dict[str, str] = field(default_factory=dict)
    clocks: dict[str, NodeClock] = field(default_factory=dict)
    volumes: dict[str, str | None] = field(default_factory=dict)
    attached: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    cuts: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    snapshots: set[str] = field(default_factory=set)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    stores: list[tuple[str, int]] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    full: bool = False
    relayed: list[int] = field(default_factory=list)

    def close(self) -> None:
        shutil.rmtree(self.workdir, ignore_errors=True)

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        if self.full:
            raise DataPlaneError("no_room: the plane is full")
        self.nodes[instance_id] = private_ip
        self.clocks[instance_id] = clock
        self.host_dir(instance_id).mkdir(exist_ok=True)

    def remove_node(self, instance_id: str) -> None:
        del self.nodes[instance_id]
        self.attached = {v: where for v, where in self.attached.items() if where[0] != instance_id}

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:  # noqa: ARG002  # files have no size here
        self.volumes[volume_id] = snapshot_id
        self.bytes_of[volume_id] = self.bytes_of.get(snapshot_id or "", b"")

    def write(self, volume_id: str, offset: int, data: bytes) -> None:
        held = self.bytes_of[volume_id].ljust(offset, b"\0")
        self.bytes_of[volume_id] = held[:offset] + data + held[offset + len(data) :]

    def delete_volume(self, volume_id: str) -> None:
        del self.volumes[volume_id]

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        self.attached[volume_id] = (instance_id, device, root)
        return device

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        self.stores.append((instance_id, size_bytes))
        return f"/dev/nvme{len(self.stores)}n1"

    def detach(self, volume_id: str) -> None:
        if volume_id in self.busy:
            raise DataPlaneError(f"busy: {volume_id}")
        self.attached.pop(volume_id, None)

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        self.cuts.append((instance_id, dict(members)))
        self._take(members)

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        self.cuts.append(("", {volume_id: snapshot_id}))
        self._take({volume_id: snapshot_id})

    def _take(self, members: Mapping[str, str]) -> None:
        self.snapshots |= set(members.values())
        self.bytes_of |= {snapshot_id: self.bytes_of[volume_id] for volume_id, snapshot_id in members.items()}

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        self.snapshots.add(snapshot_id)
        self.bytes_of[snapshot_id] = self.bytes_of[source]

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        return self.bytes_of[snapshot_id][offset : offset + length].ljust(length, b"\0")

    def delete_snapshot(self, snapshot_id: str) -> None:
        self.snapshots.remove(snapshot_id)

    def host_dir(self, instance_id: str) -> Path:
        return self.workdir / instance_id

    def seen_as(self, instance_id: str) -> str:
        return str(self.host_dir(instance_id))

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords
    ) -> subprocess.Popen[bytes]:
        environment = {"PATH": "/usr/bin:/bin", "NODE": instance_id, **(env or {})}
        return subprocess.Popen(list(argv), env=environment, **popen)

    def relay(self, port: int) -> None:
        self.relayed.append(port)
