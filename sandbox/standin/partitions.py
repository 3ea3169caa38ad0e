"""Who owns which partition: a succession list per partition, the same on every node that knows the same members."""

from __future__ import annotations

import base64
import random
from functools import cache
from typing import TYPE_CHECKING

from sandbox.standin.header import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

_MASTER_BIT = 1 << 61


@cache
def _weights(node_id: str) -> tuple[int, ...]:
    """Return the node's draw for each partition: the same everywhere, with or without other members."""
    draw = random.Random(int(node_id, 16))  # noqa: S311 - spreads partitions, guards nothing
    return tuple(draw.getrandbits(64) for _ in range(PARTITIONS))


@cache
def owners(members: tuple[str, ...], copies: int) -> tuple[tuple[str, ...], ...]:
    """Return the nodes that hold each partition, the master first."""
    weights = {member: _weights(member) for member in members}
    return tuple(
        tuple(sorted(members, key=lambda member: weights[member][pid], reverse=True)[:copies])
        for pid in range(PARTITIONS)
    )


def bitmaps(table: Sequence[tuple[str, ...]], node_id: str, copies: int) -> str:
    """Return the part of the ``replicas`` reply that follows the namespace: regime, copies, one bitmap per copy."""
    maps = []
    for rank in range(copies):
        bits = bytearray(PARTITIONS // 8)
        for pid, nodes in enumerate(table):
            if len(nodes) > rank and nodes[rank] == node_id:
                bits[pid >> 3] |= 0x80 >> (pid & 7)
        maps.append(base64.b64encode(bits).decode())
    return ",".join(["0", str(copies), *maps])


def versions(table: Sequence[tuple[str, ...]], node_id: str, cluster_key: int) -> list[int]:
    """Return what the device header says of each partition: the cluster key where this node holds it."""
    return [0 if node_id not in nodes else cluster_key | (_MASTER_BIT if nodes[0] == node_id else 0) for nodes in table]
