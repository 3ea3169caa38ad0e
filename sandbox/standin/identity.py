"""Who a node is where its conf does not say: an address and an id taken from its network interfaces."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.standin.conf import ServerConf

_INTERFACES = Path("/sys/class/net")
_FABRIC_PORT = 3001


def own_address(seeds: tuple[tuple[str, int], ...]) -> str:
    """Return the address that others reach this machine by; nothing is sent."""
    for host in (*(seed for seed, _ in seeds), "192.0.2.1"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
    return "127.0.0.1"


def node_id_of(conf: ServerConf) -> str:
    """Return the conf's node id, else the one that asd makes: the fabric port before the MAC in reverse."""
    if given := conf.service.get("node-id"):
        return given.upper().removeprefix("0X")
    port = int(conf.network.get("fabric.port", _FABRIC_PORT))
    mac = _mac(conf.network.get("service.address", "any"))
    return f"{port << 48 | int.from_bytes(mac[::-1], 'big'):X}"


def _mac(address: str) -> bytes:
    with contextlib.suppress(ValueError):
        parsed = ipaddress.IPv4Address(address)
        if parsed.is_loopback:  # nodes of one machine: its interfaces would make them all one
            return b"\x02\x77" + parsed.packed
    for name in sorted(path.name for path in _INTERFACES.glob("*")):
        if re.match(r"(eth|ens|en|bond|wlan|em|p)\d", name):
            with contextlib.suppress(OSError, ValueError):
                return bytes.fromhex((_INTERFACES / name / "address").read_text().strip().replace(":", ""))
    return secrets.token_bytes(6)
