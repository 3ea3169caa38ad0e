"""``python -m sandbox.witness.reading``: judge what lies on copies of nodes, without starting servers on them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.standin import record
from sandbox.standin.header import HeaderError
from sandbox.standin.partitions import owners
from sandbox.standin.volume import VolumeError
from sandbox.witness.at_rest import Copies, Key, Shelf, digest_of, found_in, read_shelf
from sandbox.witness.ledger import Entry, read
from sandbox.witness.verdict import Period, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Copy:
    """One node's copy and when it was cut, in epoch seconds."""

    node_id: str
    requested_at: float
    responded_at: float
    shelves: tuple[Shelf, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Copy:
        """Read it from JSON."""
        shelves = tuple(Shelf(**{**shelf, "paths": tuple(shelf["paths"])}) for shelf in told["shelves"])
        return cls(told["node_id"], told["requested_at"], told["responded_at"], shelves)


def main(argv: list[str] | None = None) -> int:
    """Print the verdicts as JSON; exit 1 with the reason on stderr where a server would not start on these bytes."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.witness.reading", description=__doc__)
    parser.add_argument("--copies", required=True, type=Path, help="JSON: what `Copy` says of each node")
    parser.add_argument("--ledger", required=True, type=Path)
    parser.add_argument("--replicas", type=int, default=2)
    arguments = parser.parse_args(argv)
    copies = [Copy.of(told) for told in json.loads(arguments.copies.read_text())]
    with arguments.ledger.open() as lines:
        entries = list(read(lines))
    try:
        held = {copy.node_id: {shelf.namespace: read_shelf(shelf) for shelf in copy.shelves} for copy in copies}
    except (HeaderError, VolumeError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1
    nodes = _by_node(entries, copies, held, arguments.replicas)
    told = {"cluster": asdict(_of_cluster(entries, copies, held)), "nodes": {n: asdict(v) for n, v in nodes.items()}}
    print(json.dumps(told))
    return 0


def _of_cluster(entries: Sequence[Entry], copies: Sequence[Copy], held: Mapping[str, Mapping[str, Copies]]) -> Verdict:
    period = Period(min(copy.requested_at for copy in copies), max(copy.responded_at for copy in copies))
    return judge(entries, found_in(_keys(entries), list(held.values())), period)


def _by_node(
    entries: Sequence[Entry], copies: Sequence[Copy], held: Mapping[str, Mapping[str, Copies]], replicas: int
) -> dict[str, Verdict]:
    """Each node around its own cut, by the keys that it is to hold a copy of."""
    table = owners(tuple(copy.node_id for copy in copies), replicas)
    holders = {where: table[record.partition_of(digest_of(where))] for where in _keys(entries)}
    found = {}
    for copy in copies:
        own = [entry for entry in entries if copy.node_id in holders[entry.namespace, entry.key]]
        period = Period(copy.requested_at, copy.responded_at)
        found[copy.node_id] = judge(own, found_in(_keys(own), [held[copy.node_id]]), period)
    return found


def _keys(entries: Sequence[Entry]) -> list[Key]:
    return list(dict.fromkeys((entry.namespace, entry.key) for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
