"""Keep the data plane in step with moto's EC2: nodes, volumes, attachments, power."""

import threading
from collections.abc import Iterable
from typing import Protocol

from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock
from sandbox.region.pace import Pace
from sandbox.region.plane import Plane


class Machine(Protocol):
    """What is used of a moto instance."""

    id: str
    private_ip: str
    root_device_name: str

    @property
    def get_block_device_mapping(self) -> Iterable[tuple[str, "Block"]]:
        """Device name and volume of each attachment."""


class Block(Protocol):
    """What is used of an entry of a moto block device mapping."""

    volume_id: str


class Mirror:
    """Who is powered on in the plane, and which volumes it holds."""

    def __init__(self, plane: Plane, pace: Pace) -> None:
        self._plane, self._pace = plane, pace
        self._lock = threading.RLock()
        self._nodes: set[str] = set()
        self._volumes: set[str] = set()
        self._attached: dict[str, str] = {}
        self._clocks: dict[str, NodeClock] = {}

    def is_on(self, instance_id: str) -> bool:
        """The instance has a node in the plane."""
        return instance_id in self._nodes

    def create_volume(self, volume_id: str, *, size_gib: int, snapshot_id: str | None) -> None:
        """A new volume, blank or from a snapshot."""
        with self._lock:
            size_bytes = size_gib * self._pace.gib_bytes
            self._plane.create_volume(volume_id, size_bytes=size_bytes, snapshot_id=snapshot_id)
            self._volumes.add(volume_id)

    def delete_volume(self, volume_id: str) -> None:
        """Away with it, if the plane has it."""
        with self._lock:
            if volume_id in self._volumes:
                self._plane.delete_volume(volume_id)
                self._volumes.discard(volume_id)

    def attach(self, machine: Machine, volume_id: str, device: str) -> None:
        """Attach; the first attachment of an instance (its root volume, at launch) powers it on."""
        with self._lock:
            if machine.id not in self._nodes:
                self._boot(machine)
            self._plug(machine, volume_id, device)

    def set_clock(self, private_ip: str, clock: NodeClock) -> None:
        """The clock that the machine with this address has from its next power-on."""
        self._clocks[private_ip] = clock

    def _boot(self, machine: Machine) -> None:
        clock = self._clocks.get(machine.private_ip, TRUE_CLOCK)
        self._plane.add_node(machine.id, private_ip=machine.private_ip, clock=clock)
        self._nodes.add(machine.id)

    def _plug(self, machine: Machine, volume_id: str, device: str) -> None:
        root = device == machine.root_device_name
        self._plane.attach(volume_id, machine.id, device=device, root=root)
        self._attached[volume_id] = machine.id

    def detach(self, volume_id: str) -> None:
        """Detach, if the plane still has it attached."""
        with self._lock:
            if self._attached.pop(volume_id, None) is not None:
                self._plane.detach(volume_id)

    def power_off(self, machine: Machine) -> None:
        """Everything in the node ends at once; its volumes stay."""
        with self._lock:
            if machine.id in self._nodes:
                self._nodes.discard(machine.id)
                self._plane.remove_node(machine.id)
                for volume_id in [v for v, instance_id in self._attached.items() if instance_id == machine.id]:
                    del self._attached[volume_id]

    def power_on(self, machine: Machine) -> None:
        """A node again, with the volumes that the instance has."""
        with self._lock:
            if machine.id in self._nodes:
                return
            self._boot(machine)
            for device, block in machine.get_block_device_mapping:
                self._plug(machine, block.volume_id, device)
