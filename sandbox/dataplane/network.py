"""The private network of the nodes: one bridge in the hub's network namespace, a veth pair per node."""

import ipaddress
import os
import socket

from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.programs import run

CIDR = "10.77.0.0/16"
HUB_IP = "10.77.255.254"
_BRIDGE = "aerokeep0"
_LOOPBACKS = 256
_RESERVED_PORT = 3077
_FIRST_HOST = 10  # AWS keeps the first four addresses of a subnet


def reserve_loopback() -> tuple[socket.socket, str]:
    """Take a loopback network that no other sandbox of this machine has, as long as the socket stays open.

    Raises:
        DataPlaneError: all of them are taken.

    """
    for number in range(_LOOPBACKS):
        third = (os.getpid() + number) % _LOOPBACKS
        reserved = socket.socket()
        try:
            reserved.bind((f"127.77.{third}.1", _RESERVED_PORT))
        except OSError:
            reserved.close()
        else:
            return reserved, f"127.77.{third}.0/24"
    raise DataPlaneError(f"no_network: {_LOOPBACKS} sandboxes run on this machine")


def node_ip(cidr: str, index: int) -> str:
    """Give address number ``index`` of a network.

    Raises:
        DataPlaneError: the network has no such address left.

    """
    network = ipaddress.ip_network(cidr)
    if not 0 <= index < network.num_addresses - 2 * _FIRST_HOST:
        raise DataPlaneError(f"no_address: {cidr} has no node address number {index}")
    return str(network[_FIRST_HOST + index])


def check_ip(cidr: str, private_ip: str) -> None:
    """Refuse an address outside the network."""
    if ipaddress.ip_address(private_ip) not in ipaddress.ip_network(cidr):
        raise DataPlaneError(f"bad_address: {private_ip} is not in {cidr}")


def _ip(pid: int, *lines: str) -> None:
    run(["nsenter", f"--net=/proc/{pid}/ns/net", "--", "ip", "-batch", "-"], stdin="\n".join(lines) + "\n")


def build_hub(pid: int) -> None:
    """Put the bridge into the network namespace of ``pid``."""
    _ip(
        pid,
        "link set lo up",
        f"link add {_BRIDGE} type bridge",
        f"address add {HUB_IP}/16 dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
    )


def connect(hub_pid: int, node_pid: int, *, private_ip: str, serial: int) -> None:
    """Give the network namespace of ``node_pid`` its private address.

    The MAC address follows from the private address, as an ENI keeps its own: a relaunched node with the same
    address is reachable at once, and not after the others' ARP entries have aged.
    """
    mac = "02:77:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(private_ip).packed)
    port = f"node{serial}"
    _ip(
        hub_pid,
        f"link add {port} type veth peer name eth0 address {mac} netns {node_pid}",
        f"link set {port} master {_BRIDGE} up",
    )
    _ip(
        node_pid,
        "link set lo up",
        f"address add {private_ip}/16 dev eth0",
        "link set eth0 up",
        f"route add default via {HUB_IP}",
    )
