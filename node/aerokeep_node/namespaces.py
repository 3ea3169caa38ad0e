"""What the server says of a namespace at run time: settings, storage paths, and the counters that prove quiet."""

import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from aerokeep_node.conf import Context
from aerokeep_node.info import InfoConnection, pairs_of

GUARD_SETTINGS = (("reject-non-xdr-writes", "true"), ("allow-nonxdr-writes", "false"))
"""Name and guarding value: since server 5.0, and before it (with the opposite sense)."""
FLUSH_SETTING = "flush-max-ms"
MRT_SETTING = ("disable-mrt-writes", "true")
"""Since server 8.0: what a transaction of several records still writes is the server's own, and passes the guard."""
READ_TOUCH_SETTING = ("default-read-touch-ttl-pct", "0")
"""Since server 8.0. Sets may have their own: such touches show in a counter, and cost the label."""
_ENGINE = "storage-engine"

_PATH = re.compile(r"^storage-engine\.(device|file)(?:\[(\d+)\])?(\.shadow)?$")
_QUEUE = re.compile(r"^storage-engine\.(?:device|file|stripe)\[\d+\]\.(?:backing_|shadow_)?write_q$")
_DEVICE_WRITES = re.compile(r"^storage-engine\.(?:device|file|stripe)\[\d+\]\.(writes|partial_writes)$")
_UNFINISHED = frozenset({"mrt_provisionals", "mrt_monitors_active"})
"""Transactions over several records that have yet to be rolled forward or back, each with a write."""
# Every way in which a record can be written on this node; failures write nothing.
_WRITES = re.compile(
    r"^(?:xdr_)?(?:client|from_proxy|batch_sub|from_proxy_batch_sub|ops_sub|udf_sub)_"
    r"(?:(?:lang_)?(?:write|delete)_success|udf_complete)$"
    r"|^re_repl_success$|^migrate_record_receives$|read_touch_success$"
    r"|^mrt_(?:monitor_)?roll_(?:forward|back)_success$"
)


@dataclass(frozen=True)
class StoragePath:
    """One path that asd names; ``kind`` tells a raw device from a file whatever its role."""

    path: str
    role: str
    kind: str
    index: int


class NamespaceConfig:
    """The run-time configuration of one namespace, as ``get-config`` gives it."""

    def __init__(self, name: str, pairs: List[Tuple[str, str]]) -> None:
        self.name = name
        self._pairs = pairs
        self._values = dict(pairs)

    def get(self, setting: str) -> Optional[str]:
        """Give a setting, whether the server lists it bare or below its storage engine."""
        value = self._values.get(setting)
        return value if value is not None else self._values.get(_ENGINE + "." + setting)

    def flag(self, setting: str) -> bool:
        """Give a boolean setting; absent (another edition or version) counts as off."""
        return self.get(setting) == "true"

    def number(self, setting: str) -> Optional[int]:
        """Give a numeric setting."""
        value = self.get(setting) or ""
        return int(value) if value.isdecimal() else None

    @property
    def guard(self) -> Optional[Tuple[str, str]]:
        """Give name and guarding value of this server's guard; None where it has none."""
        return next(((name, on) for name, on in GUARD_SETTINGS if self.get(name) is not None), None)

    @property
    def mrt_guard(self) -> Optional[Tuple[str, str]]:
        """Give what keeps transactions over several records from going on; only strong consistency has any."""
        return MRT_SETTING if self.flag("strong-consistency") and self.get(MRT_SETTING[0]) is not None else None

    @property
    def touch_guard(self) -> Optional[Tuple[str, str]]:
        """Give what keeps reads from prolonging lives, a write that passes the guard; None where they don't."""
        return READ_TOUCH_SETTING if self.number(READ_TOUCH_SETTING[0]) else None

    @property
    def changes(self) -> List[Tuple[str, str]]:
        """Give all that is set to let no write in: what of it is there on this server."""
        return [change for change in (self.guard, self.mrt_guard, self.touch_guard) if change]

    @property
    def closed(self) -> bool:
        """Whether nobody's writes are let in now, transactions over several records included."""
        mrt = self.mrt_guard
        return self.guarded and (mrt is None or self.get(mrt[0]) == mrt[1])

    @property
    def guarded(self) -> bool:
        """Whether client writes are rejected now."""
        guard = self.guard
        return guard is not None and self.get(guard[0]) == guard[1]

    @property
    def engine(self) -> str:
        """The storage engine: device, memory or pmem."""
        return self._values.get(_ENGINE, "memory")

    @property
    def paths(self) -> List[StoragePath]:
        """Give every storage path in the server's order."""
        found = []
        counts: Dict[str, int] = {}
        for key, value in self._pairs:
            match = _PATH.match(key)
            if not match:
                continue
            kind, index, shadow = match.groups()
            # Before server 4.3 the keys repeat without an index.
            position = int(index) if index is not None else counts.get(kind, 0)
            counts[kind] = position + 1
            role = "shadow" if shadow else "backing" if self.engine == "memory" else kind
            found.append(StoragePath(value, role, kind, position))
        return found

    @property
    def persistence_set(self) -> List[StoragePath]:
        """What a snapshot must hold: the shadows where there are any, else files or devices."""
        shadows = [path for path in self.paths if path.role == "shadow"]
        return shadows or self.paths

    @property
    def storage(self) -> str:
        """Tell file, device or memory, as the contract names them."""
        if self.engine == "memory":
            return "memory"
        return "file" if any(path.kind == "file" for path in self.paths) else "device"


def read_config(connection: InfoConnection, name: str, timeout_s: float = 3.0) -> NamespaceConfig:
    """Ask for a namespace's run-time configuration (``id=`` is understood by every version)."""
    reply = connection.ask("get-config:context=namespace;id=" + name, timeout_s)
    return NamespaceConfig(name, pairs_of(reply))


def guarded_in_conf(config: NamespaceConfig, conf: Optional[Context]) -> bool:
    """Whether the conf sets the guard on purpose, as on a passive XDR destination."""
    guard = config.guard
    return conf is not None and guard is not None and conf.get(guard[0]) == guard[1]


def list_namespaces(connection: InfoConnection) -> List[str]:
    """Ask which namespaces the server has."""
    return [name for name in connection.ask("namespaces").split(";") if name]


@dataclass(frozen=True)
class Activity:
    """One look at a namespace: what has been written so far, what still waits to be, and how much it holds."""

    counters: Dict[str, int]
    queued: int
    master_objects: Optional[int] = None
    tombstones: Optional[int] = None

    def as_json(self) -> Dict[str, int]:
        """Give the counters that are not zero, so that evidence of many namespaces stays small."""
        return {name: value for name, value in sorted(self.counters.items()) if value}


def read_activity(connection: InfoConnection, name: str, timeout_s: float = 3.0) -> Activity:
    """Look at the counters and queues of a namespace."""
    return activity_of(connection.ask_pairs("namespace/" + name, timeout_s))


def activity_of(statistics: Dict[str, str]) -> Activity:
    """Pick counters and queues out of a namespace's statistics; a device's counters are added up over devices."""
    counters: Dict[str, int] = {}
    queued = 0
    for key, value in statistics.items():
        if not value.isdecimal():
            continue
        device = _DEVICE_WRITES.match(key)
        if device:
            total = "device_" + device.group(1)
            counters[total] = counters.get(total, 0) + int(value)
        elif _QUEUE.match(key) or key in _UNFINISHED:
            queued += int(value)
        elif _WRITES.search(key):
            counters[key] = int(value)
    return Activity(counters, queued, count_of(statistics, "master_objects"), count_of(statistics, "tombstones"))


def count_of(statistics: Dict[str, str], name: str) -> Optional[int]:
    """Give a count; None where this version does not tell it."""
    value = statistics.get(name, "")
    return int(value) if value.isdecimal() else None


def transactions_in_progress(connection: InfoConnection, timeout_s: float = 3.0) -> int:
    """Ask how many writes of this node, own or proxied, are under way."""
    statistics = connection.ask_pairs("statistics", timeout_s)
    return int(statistics.get("rw_in_progress", "0")) + int(statistics.get("proxy_in_progress", "0"))
