"""What the region asks of a data plane (the whole protocol is the plane's own)."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock


class Plane(Protocol):
    """Nodes, volumes and snapshots behind the API: the part of `DataPlane` that the region uses."""

    @property
    def workdir(self) -> Path:
        """The plane's own folder."""

    def add_node(self, instance_id: str, *, private_ip: str, clock: NodeClock = TRUE_CLOCK) -> None:
        """Power a node on."""

    def remove_node(self, instance_id: str) -> None:
        """Power loss; its volumes are detached."""

    def create_volume(self, volume_id: str, *, size_bytes: int, snapshot_id: str | None = None) -> None:
        """Make a volume, blank or with the bytes of a snapshot."""

    def delete_volume(self, volume_id: str) -> None:
        """Delete a detached volume."""

    def attach(self, volume_id: str, instance_id: str, *, device: str, root: bool = False) -> str:
        """Attach a volume under an EC2 device name."""

    def attach_instance_store(self, instance_id: str, size_bytes: int) -> str:
        """Give the node an instance store, lost with it."""

    def detach(self, volume_id: str) -> None:
        """Detach a volume with its content."""

    def cut(self, instance_id: str, members: Mapping[str, str]) -> None:
        """Snapshot ``{volume_id: snapshot_id}`` at one instant."""

    def cut_volume(self, volume_id: str, snapshot_id: str) -> None:
        """Snapshot one volume, attached or not."""

    def copy_snapshot(self, source: str, snapshot_id: str) -> None:
        """Give a snapshot's bytes a second name."""

    def read_snapshot(self, snapshot_id: str, *, offset: int, length: int) -> bytes:
        """Read bytes of a snapshot."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""

    def host_dir(self, instance_id: str) -> Path:
        """The machine's path to the node's own folder."""

    def seen_as(self, instance_id: str) -> str:
        """The node's path to the same folder."""

    def spawn(
        self,
        instance_id: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **popen: Any,  # noqa: ANN401  # subprocess.Popen's own keywords, passed through
    ) -> subprocess.Popen[bytes]:
        """Start a process on the node."""

    def relay(self, port: int) -> None:
        """Let a port of the machine's loopback be reached on every node's loopback too."""


@runtime_checkable
class AnsweringPlane(Protocol):
    """A plane whose nodes run no shell: they answer documents themselves."""

    def run_document(self, instance_id: str, document: str, environment: Mapping[str, str]) -> tuple[int, str]:
        """Run a document on the node; → exit code and stdout."""


@runtime_checkable
class ServicePlane(Protocol):
    """A plane whose nodes have services of their own."""

    def boot(self, instance_id: str) -> None:
        """Start the services that are enabled and not masked."""

    def shut_down(self, instance_id: str) -> None:
        """End all services, as a shutdown does."""


@runtime_checkable
class RolePlane(Protocol):
    """A plane whose nodes can call AWS by themselves."""

    def give_role(self, instance_id: str, environment: Mapping[str, str]) -> None:
        """Give a node its instance role's credentials (as an AWS environment), or none."""
