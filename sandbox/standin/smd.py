"""System metadata (SMD): modules of keys and values, kept in ``<work-directory>/smd`` and the same on every node.

Layout and merge rules are the real ones: a JSON array whose first element is the version vector ``[cluster_key, tid]``,
written as ``.save`` and renamed, without fsync.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.standin.record import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULES = ("evict", "sindex", "truncate", "UDF")


@dataclass(frozen=True)
class Item:
    """One key; a value of ``None`` is a tombstone."""

    key: str
    value: str | None
    generation: int
    timestamp: int


@dataclass
class Module:
    """One module's items and version vector."""

    committed_key: int = 0
    committed_tid: int = 0
    items: dict[str, Item] = field(default_factory=dict)

    def live(self) -> dict[str, str]:
        """Return keys that have a value."""
        return {key: item.value for key, item in self.items.items() if item.value is not None}

    def to_json(self) -> list[Any]:
        """Return the file's content."""
        return [[self.committed_key, self.committed_tid], *(asdict(item) for item in self.items.values())]

    @classmethod
    def from_json(cls, content: list[Any]) -> Module:
        """Read the file's content."""
        (key, tid), *items = content
        return cls(key, tid, {item["key"]: Item(**item) for item in items})


class Smd:
    """All modules of this node."""

    def __init__(self, work_directory: Path, *, warn: Callable[[str], None]) -> None:
        """Load what is there; a missing or invalid file starts empty, as in the real server."""
        self._directory = work_directory / "smd"
        self._directory.mkdir(parents=True, exist_ok=True)
        self.modules: dict[str, Module] = {}
        for name in MODULES:
            path = self._directory / f"{name}.smd"
            try:
                self.modules[name] = Module.from_json(json.loads(path.read_text()))
            except FileNotFoundError:
                self.modules[name] = Module()
            except (ValueError, TypeError, KeyError) as error:
                warn(f"failed to load {path}: {error} - starting empty")
                self.modules[name] = Module()

    def propose(self, module: str, key: str, value: str | None, *, cluster_key: int) -> tuple[Item, int]:
        """Return the item and the transaction number that the principal gives a change."""
        held = self.modules[module]
        known = held.items.get(key)
        item = Item(key, value, known.generation + 1 if known else 1, now_ms())
        return item, held.committed_tid + 1 if held.committed_key == cluster_key else 1

    def commit(self, module: str, item: Item, *, cluster_key: int, tid: int) -> None:
        """Take a change that the principal has numbered."""
        held = self.modules[module]
        held.items[item.key] = item
        held.committed_key, held.committed_tid = cluster_key, tid

    def merge(self, module: str, other: Module, *, cluster_key: int) -> bool:
        """Merge another node's module item by item; return whether anything changed here."""
        held = self.modules[module]
        if (held.committed_key, held.committed_tid) == (other.committed_key, other.committed_tid):
            return False
        if held.committed_tid == 0 and not held.items:
            held.committed_key, held.committed_tid = other.committed_key, other.committed_tid
            held.items = dict(other.items)
            return True
        newer = [item for item in other.items.values() if _wins(module, item, held.items.get(item.key))]
        held.items |= {item.key: item for item in newer}
        if other.committed_tid:
            held.committed_key, held.committed_tid = cluster_key, 1
        return bool(newer)

    def save(self, module: str) -> None:
        """Write a module's file; blocks while the filesystem is frozen."""
        path = self._directory / f"{module}.smd"
        draft = path.with_suffix(".smd.save")
        draft.write_text(json.dumps(self.modules[module].to_json(), indent=2) + "\n")
        draft.rename(path)


def _wins(module: str, item: Item, known: Item | None) -> bool:
    if known is None:
        return True
    if module in ("truncate", "evict") and item.value and known.value:
        return int(item.value) > int(known.value)
    return (item.timestamp, item.generation) > (known.timestamp, known.generation)
