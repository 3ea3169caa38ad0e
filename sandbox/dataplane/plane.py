"""What every mode of the data plane offers to the region, the demo and the tests."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

BLOCK_BYTES = 4096
"""Sizes are multiples of this: reflinks work on whole filesystem blocks."""


class DataPlaneError(Exception):
    """The data plane cannot do what was asked; the message says why."""


@dataclass(frozen=True)
class NodeClock:
    """A node's clock, and what its ``chronyc`` says of it.

    Attributes:
        offset_s: node's clock minus true time.
        error_s: the error bound that chronyc reports (root delay / 2 + root dispersion).
        synchronised: whether the leap status is ``Normal``.
        drift_ppm: how fast the offset grows, in microseconds per second.
        reported_offset_s: what chronyc reports as offset; ``None`` is the truth.

    """

    offset_s: float = 0.0
    error_s: float = 0.002
    synchronised: bool = True
    drift_ppm: float = 0.0
    reported_offset_s: float | None = None

    @property
    def is_true(self) -> bool:
        """Whether the node's clock is the machine's own."""
        return self.offset_s == 0.0 and self.drift_ppm == 0.0


TRUE_CLOCK = NodeClock()


class DataPlane(Protocol):
    """Nodes with volumes that are cut at one instant."""

    @property
    def mode(self) -> Literal["namespaces", "directory"]:
        """How nodes and volumes are made."""

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """What this mode cannot show, a sentence each."""

    @property
    def workdir(self) -> Path:
        """The plane's own folder; gone after `close`."""

    @property
    def shared(self) -> Path:
        """A folder that the machine and all nodes see under the same path."""

    @property
    def network(self) -> str:
        """The CIDR block of the addresses that nodes can have."""

    def start(self) -> None:
        """Bring up what all nodes share."""

    def close(self) -> None:
        """End everything and leave nothing behind; may be called again."""

    def node_ip(self, index: int) -> str:
        """Give the private address number ``index`` (from 0) that a node can have."""

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        """Power a node on; attach its root volume before anything else is asked of it."""

    def remove_node(self, instance_id: str) -> None:
        """Power loss: end all of a node's processes and detach its volumes as they are at that instant."""

    def set_clock(self, instance_id: str, clock: NodeClock) -> None:
        """Change a node's clock; its processes see it within 2 s if the node had a clock of its own before."""

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:
        """Make a volume, empty or with the bytes of a snapshot."""

    def delete_volume(self, volume_id: str) -> None:
        """Delete a detached volume."""

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        """Attach a volume as EC2 device name ``device``; → the node's kernel path, such as ``/dev/nvme1n1``."""

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        """Give the node an NVMe instance store (lost with the node); → its kernel path."""

    def detach(self, volume_id: str) -> None:
        """Detach a volume with its content; detaching a detached one does nothing."""

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        """Snapshot the node's volumes ``{volume_id: snapshot_id}``, all at one instant."""

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume, attached or not."""

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Make a second snapshot with the bytes of the first."""

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""

    def format_and_mount(self, instance_id: str, device: str, mount_point: str, *, format: bool = True) -> str:  # noqa: A002  # the contract's word
        """Mount a device (as ext4 if formatted here); → the path under which the node's processes see it."""

    def device_path(self, instance_id: str, device: str) -> str:
        """Give the path that an ``aerospike.conf`` on that node must name for an EC2 or kernel device name."""

    def host_dir(self, instance_id: str) -> Path:
        """Give the machine's path to the node's own persistent folder, on its root volume."""

    def seen_as(self, instance_id: str) -> str:
        """Give the node's path to its `host_dir`."""

    def etc_dir(self, instance_id: str) -> Path:
        """Give the machine's path to the node's /etc, which lies on its root volume."""

    def boot(self, instance_id: str) -> None:
        """Start the services that are enabled and not masked, as the node's init does."""

    def shut_down(self, instance_id: str) -> None:
        """End all services as a shutdown does; the node stays powered."""

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process on the node, with its clock and its chronyc; ``env`` is laid over the machine's."""

    def spawn_client(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process with the true clock where the nodes' private addresses can be reached."""

    def client_network(self) -> AbstractContextManager[None]:
        """Let the sockets that this thread makes meanwhile reach the nodes' private addresses."""

    def relay(self, port: int) -> None:
        """Make the machine's 127.0.0.1:port answer on 127.0.0.1:port in every node, present and future."""


def check_size(size_bytes: int) -> int:
    """Refuse a size that reflinks cannot move.

    Raises:
        DataPlaneError: the size is no positive multiple of 4 KiB.

    """
    if size_bytes <= 0 or size_bytes % BLOCK_BYTES:
        raise DataPlaneError(f"bad_size: {size_bytes} bytes is no positive multiple of {BLOCK_BYTES}")
    return size_bytes
