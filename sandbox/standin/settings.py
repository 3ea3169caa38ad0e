"""The live settings of a node, in the order and with the names that ``get-config`` of 8.1.2 shows them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.standin.conf import NamespaceConf, ServerConf

_RECORDED = Path(__file__).parent / "recorded"
_BOOLEANS = frozenset({"true", "false"})
_NAMESPACE_FLAGS = frozenset(
    {
        "allow-ttl-without-nsup",
        "conflict-resolve-writes",
        "disable-cold-start-eviction",
        "disable-write-dup-res",
        "disallow-expunge",
        "disallow-null-setname",
        "enable-benchmarks-read",
        "enable-benchmarks-write",
        "enable-hist-proxy",
        "force-long-queries",
        "ignore-migrate-fill-delay",
        "inline-short-queries",
        "reject-non-xdr-writes",
        "reject-xdr-writes",
        "storage-engine.cache-replica-writes",
        "storage-engine.enable-benchmarks-storage",
        "storage-engine.read-page-cache",
    }
)
_NAMESPACE_RANGES = {
    "background-query-max-rps": (1, 1_000_000),
    "default-ttl": (0, 315_360_000),
    "max-record-size": (0, 8 << 20),
    "migrate-order": (1, 10),
    "migrate-retransmit-ms": (0, 1 << 31),
    "migrate-sleep": (0, 1 << 31),
    "nsup-period": (0, 1 << 31),
    "nsup-threads": (1, 128),
    "stop-writes-sys-memory-pct": (0, 100),
    "transaction-pending-limit": (0, 1 << 31),
    "storage-engine.defrag-lwm-pct": (1, 99),
    "storage-engine.defrag-queue-min": (0, 1 << 31),
    "storage-engine.defrag-sleep": (0, 1 << 31),
    "storage-engine.evict-used-pct": (0, 100),
    "storage-engine.flush-max-ms": (0, 1000),
    "storage-engine.max-write-cache": (1 << 20, 1 << 40),
    "storage-engine.stop-writes-avail-pct": (0, 100),
    "storage-engine.stop-writes-used-pct": (0, 100),
}
_SERVICE_FLAGS = frozenset({"enable-benchmarks-fabric", "enable-health-check", "enable-hist-info"})
_SERVICE_RANGES = {
    "batch-index-threads": (1, 256),
    "info-max-ms": (500, 10_000),
    "migrate-max-num-incoming": (0, 256),
    "migrate-threads": (0, 100),
    "min-cluster-size": (0, 256),
    "proto-fd-max": (0, 1 << 31),
    "query-threads-limit": (1, 1024),
    "service-threads": (1, 4096),
    "sindex-builder-threads": (1, 32),
    "ticker-interval": (0, 1 << 31),
    "transaction-max-ms": (0, 1 << 31),
    "transaction-retry-ms": (1, 1 << 31),
}
_NETWORK_RANGES = {"heartbeat.interval": (50, 600_000), "heartbeat.timeout": (3, 1 << 31)}


class InvalidSettingError(ValueError):
    """The setting is unknown, static, Enterprise-only, or its value is out of range."""


@cache
def _recorded(name: str) -> tuple[tuple[str, str], ...]:
    lines = (_RECORDED / f"{name}.txt").read_text().splitlines()
    return tuple((key, value) for key, _, value in (line.partition("=") for line in lines))


def recorded(name: str) -> dict[str, str]:
    """Return a recorded reply as pairs, in its order."""
    return dict(_recorded(name))


class Settings:
    """Values of one context, changeable within what the real server allows."""

    def __init__(self, values: dict[str, str], *, flags: frozenset[str], ranges: dict[str, tuple[int, int]]) -> None:
        """Take ``values`` in the order they are to be shown."""
        self.values = values
        self._flags = flags
        self._ranges = ranges

    def number(self, name: str) -> int:
        """Return a numeric setting."""
        return int(self.values[name])

    def flag(self, name: str) -> bool:
        """Return a boolean setting."""
        return self.values[name] == "true"

    def check(self, name: str, value: str) -> str:
        """Return the full name of the setting.

        Raises:
            InvalidSettingError: it can't be set to that at run time.

        """
        for full in (name, f"storage-engine.{name}"):
            if full in self._flags and value in _BOOLEANS:
                return full
            if full in self._ranges and value.isdecimal():
                low, high = self._ranges[full]
                if low <= int(value) <= high:
                    return full
        raise InvalidSettingError(name)

    def shown(self) -> str:
        """Return the reply of ``get-config``."""
        return ";".join(f"{name}={value}" for name, value in self.values.items())


def of_service(conf: ServerConf, node_id: str) -> Settings:
    """Return the settings of the service context."""
    values = recorded("service-config")
    values |= {"cluster-name": "null", "pidfile": "null", "work-directory": str(conf.work_directory)}
    values |= {name: value for name, value in conf.service.items() if name in values}
    values["node-id"] = node_id
    return Settings(values, flags=_SERVICE_FLAGS, ranges=_SERVICE_RANGES)


def of_network(conf: ServerConf) -> Settings:
    """Return the settings of the network context."""
    values = recorded("network-config")
    for name in ("service.access-address", "service.address", "heartbeat.address", "fabric.address", "admin.address"):
        values[name] = "any"
    values |= {name: value for name, value in conf.network.items() if name in values}
    for index, (host, port) in enumerate(conf.seeds):
        values[f"heartbeat.mesh-seed-address-port[{index}]"] = f"{host}:{port}"
    return Settings(values, flags=frozenset(), ranges=_NETWORK_RANGES)


def of_namespace(conf: NamespaceConf) -> Settings:
    """Return the settings of a namespace, with its storage paths where the real server shows them."""
    values: dict[str, str] = {}
    known = recorded("namespace-config") | {"storage-engine.data-size": "0"}
    for name, value in known.items():
        if name == "storage-engine.file[0]":
            values |= _paths(conf)
        elif name == "storage-engine":
            values[name] = conf.engine
        elif name == "storage-engine.data-size":
            if conf.engine == "memory":
                values[name] = str(conf.data_size_bytes)
        elif name == "storage-engine.filesize":
            files = [v for v in conf.volumes if v.is_file]
            values[name] = str(conf.file_size_bytes if files else 0)
        else:
            values[name] = conf.settings.get(name, value)
    return Settings(values, flags=_NAMESPACE_FLAGS, ranges=_NAMESPACE_RANGES)


def _paths(conf: NamespaceConf) -> dict[str, str]:
    shown: dict[str, str] = {}
    if conf.engine == "memory":
        for index in range(max(1, len(conf.volumes))):
            shown[f"storage-engine.stripe[{index}]"] = f"stripe-0.{index}"
    for index, volume in enumerate(conf.volumes):
        key = f"storage-engine.{'file' if volume.is_file else 'device'}[{index}]"
        shown[key] = volume.path
        if volume.shadow:
            shown[f"{key}.shadow"] = volume.shadow
    return shown
