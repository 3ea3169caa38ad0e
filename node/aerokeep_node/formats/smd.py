"""System metadata (SMD) files of Aerospike: parse and validate, since the server starts empty on an invalid one."""

import json
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

MODULES = ("evict", "roster", "security", "sindex", "truncate", "UDF", "XDR", "masking")
SUFFIX = ".smd"
TRUNCATE = "truncate.smd"
"""Values are last-update-times in ms since 2010: records of a set that are older are gone."""
EVICT = "evict.smd"
"""Values are expiries in s since 2010: records of a namespace that expire sooner are gone."""
THRESHOLDS = (TRUNCATE, EVICT)
AEROSPIKE_EPOCH_S = 1262304000
"""2010-01-01T00:00:00Z."""
_VERSION_LENGTH = 2


class BadSmdError(ValueError):
    """These bytes are not a whole SMD file; ``code`` is stable, the message says what was found."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code + ": " + detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class SmdItem:
    """One item; a ``value`` of None is a tombstone. ``timestamp`` is in ms since 2010 (Aerospike's epoch)."""

    key: str
    value: Optional[str]
    generation: int
    timestamp: int


@dataclass(frozen=True)
class SmdFile:
    """A module's state; the pair (cluster_key, tid) is its version: equal pairs on all nodes mean equal content."""

    cluster_key: int
    tid: int
    items: Tuple[SmdItem, ...]

    @property
    def version(self) -> Tuple[int, int]:
        """The version vector by which nodes agree, (0, 0) on an empty node."""
        return (self.cluster_key, self.tid)


def parse_smd(content: bytes) -> SmdFile:
    """Parse a whole ``<module>.smd``: a JSON array, first ``[cluster_key, tid]``, then the items.

    Raises:
        BadSmdError: ``not_json`` (also a torn copy), ``bad_version_vector`` or ``bad_item``.

    """
    try:
        document = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadSmdError("not_json", str(error)) from error
    if not isinstance(document, list) or not document:
        raise BadSmdError("bad_version_vector", "an array of version vector and items is expected")
    cluster_key, tid = _version_vector(document[0])
    return SmdFile(cluster_key, tid, tuple(_item(index, entry) for index, entry in enumerate(document[1:])))


def _version_vector(entry: Any) -> Tuple[int, int]:  # noqa: ANN401 - anything can stand in JSON
    if not isinstance(entry, list) or len(entry) != _VERSION_LENGTH or not all(_is_count(part) for part in entry):
        raise BadSmdError("bad_version_vector", repr(entry)[:80])
    return entry[0], entry[1]


def _item(index: int, entry: Any) -> SmdItem:  # noqa: ANN401 - anything can stand in JSON
    if not isinstance(entry, dict):
        raise BadSmdError("bad_item", f"item {index} is no object")
    key, value = entry.get("key"), entry.get("value")
    generation, timestamp = entry.get("generation", -1), entry.get("timestamp", -1)
    if not isinstance(key, str) or not (value is None or isinstance(value, str)) or "value" not in entry:
        raise BadSmdError("bad_item", f"item {index} has no proper key and value")
    if not _is_count(generation) or not _is_count(timestamp):
        raise BadSmdError("bad_item", f"item {index} has no proper generation and timestamp")
    return SmdItem(key=key, value=value, generation=generation, timestamp=timestamp)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def thresholds_after(name: str, smd: SmdFile, cut_at: float) -> List[str]:
    """Name what would make a server drop records of a cut at ``cut_at`` (epoch seconds): what was decided after it.

    A truncation drops what was written before its value. An eviction's value is an expiry, which lies ahead of the time
    at which it was decided; so of evictions the time of the decision counts.

    Args:
        name: of the file, such as ``truncate.smd``.
        smd: its content.
        cut_at: the cut.

    Raises:
        BadSmdError: ``bad_threshold``.

    """
    if name not in THRESHOLDS:
        return []
    cut_ms = (cut_at - AEROSPIKE_EPOCH_S) * 1000
    late = []
    for item in smd.items:
        if item.value is None:
            continue
        if not item.value.isdecimal():
            raise BadSmdError("bad_threshold", f"{item.key}: {item.value[:40]!r}")
        decided_ms = int(item.value) if name == TRUNCATE else item.timestamp
        if decided_ms > cut_ms:
            late.append(f"{item.key} is {(decided_ms - cut_ms) / 1000:.3f} s after the cut")
    return late
