"""Keep the data plane in step with moto's EC2: nodes, volumes, attachments, power."""

import subprocess
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from sandbox.dataplane.plane import TRUE_CLOCK, NodeClock
from sandbox.region.pace import Pace
from sandbox.region.plane import Plane, ServicePlane

ASK_S = 10.0
INSTANCE_STORES = {"m5d.large": (12,), "i4i.large": (12,), "i4i.2xlarge": (12, 12)}
"""Smaller than the real ones, as many as would fit into the sandbox; see `Mirror.instance_stores`."""
_MOUNTED = (
    "sed -n 's#^[^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* - ext4 \\(/dev/nvme[^ ]*\\) .*#\\2 \\1#p' /proc/self/mountinfo"
)
SYNC = f'{_MOUNTED} | while read -r device point; do sync -f "$point"; done'
"""What an operating system does for its files when it shuts down."""
UNMOUNT = f"""for link in /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"$1"*; do
  [ -e "$link" ] || continue
  {_MOUNTED} | while read -r device point; do
    [ "$device" = "$(readlink -f "$link")" ] && umount -l "$point"
  done
done"""
SET_MAC = """ip -4 -o address show dev eth0 | grep -qF " $2/" || exit 0
echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify
ip link set dev eth0 address "$1\""""
"""An ENI's address moves with it, and the others' ARP entries follow at once, as in a VPC."""


class Machine(Protocol):
    """What is used of a moto instance."""

    id: str
    private_ip: str
    root_device_name: str
    instance_type: str
    network_interfaces: Sequence["Interface"]

    @property
    def get_block_device_mapping(self) -> Iterable[tuple[str, "Block"]]:
        """Device name and volume of each attachment."""


class Interface(Protocol):
    """What is used of a moto network interface."""

    mac_address: str


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
        self.instance_stores: dict[str, tuple[int, ...]] = dict(INSTANCE_STORES)
        """Instance type → sizes in GiB of its instance stores."""

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
        """Attach to a node that is on; one that is off gets its volumes when it is powered on."""
        with self._lock:
            if machine.id in self._nodes:
                self._plug(machine, volume_id, device)

    def set_clock(self, private_ip: str, clock: NodeClock) -> None:
        """The clock that the machine with this address has from its next power-on."""
        self._clocks[private_ip] = clock

    def clock(self, private_ip: str) -> NodeClock:
        """The clock that the machine with this address has."""
        return self._clocks.get(private_ip, TRUE_CLOCK)

    def _plug(self, machine: Machine, volume_id: str, device: str) -> None:
        root = device == machine.root_device_name
        self._plane.attach(volume_id, machine.id, device=device, root=root)
        self._attached[volume_id] = machine.id

    def detach(self, volume_id: str, *, force: bool = False) -> None:
        """Detach, if the plane still has it attached; `force` takes mounted filesystems away from whoever uses them."""
        with self._lock:
            instance_id = self._attached.get(volume_id)
            if instance_id is None:
                return
            if force:
                self._ask(instance_id, UNMOUNT, volume_id.replace("-", ""))
            self._plane.detach(volume_id)
            del self._attached[volume_id]

    def power_off(self, machine: Machine, *, hard: bool = True) -> None:
        """Everything in the node ends at once (unless `hard`, after a shutdown of its services); its volumes stay."""
        with self._lock:
            if machine.id not in self._nodes:
                return
            if not hard:
                if isinstance(self._plane, ServicePlane):
                    self._plane.shut_down(machine.id)
                self._ask(machine.id, SYNC)
            self._nodes.discard(machine.id)
            self._plane.remove_node(machine.id)
            for volume_id in [v for v, instance_id in self._attached.items() if instance_id == machine.id]:
                del self._attached[volume_id]

    def power_on(self, machine: Machine) -> None:
        """A node with the volumes that the instance has: the root first, then blank instance stores, then the rest."""
        with self._lock:
            if machine.id in self._nodes:
                return
            self._plane.add_node(machine.id, private_ip=machine.private_ip, clock=self.clock(machine.private_ip))
            self._nodes.add(machine.id)
            blocks = sorted(machine.get_block_device_mapping, key=lambda entry: entry[0] != machine.root_device_name)
            for device, block in blocks[:1]:
                self._plug(machine, block.volume_id, device)
            for size_gib in self.instance_stores.get(machine.instance_type, ()):
                self._plane.attach_instance_store(machine.id, size_gib * self._pace.gib_bytes)
            for device, block in blocks[1:]:
                self._plug(machine, block.volume_id, device)
            if getattr(self._plane, "mode", None) == "namespaces":  # elsewhere the network is the machine's own
                self._ask(machine.id, SET_MAC, machine.network_interfaces[0].mac_address, machine.private_ip)

    def boot(self, instance_id: str) -> None:
        """Start what the node's image starts by itself.

        Raises:
            DataPlaneError: the node has lost its power meanwhile, or its init does not work.

        """
        if isinstance(self._plane, ServicePlane):
            self._plane.boot(instance_id)

    def _ask(self, instance_id: str, script: str, *arguments: str) -> None:
        """Let the node's kernel do something; a node that cannot is about to lose its power anyway."""
        process = self._plane.spawn(
            instance_id,
            ["sh", "-c", script, "sh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(ASK_S)
        except subprocess.TimeoutExpired:
            process.kill()
