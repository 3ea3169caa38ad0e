"""What one transaction makes of one record: pure, with the clock as an argument."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sandbox.standin import wire
from sandbox.standin.record import Bins, Record
from sandbox.standin.segment_log import MAX_BLOB_BYTES
from sandbox.standin.wire import Op, Reply, Request, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEVER = 0xFFFFFFFF
_KEEP = 0xFFFFFFFE
_GENERATION_MASK = 0xFFFF
_DOUBLE = struct.Struct(">d")


class RefusedError(Exception):
    """The transaction ends with a result code and changes nothing."""

    def __init__(self, result: Result) -> None:
        """Carry the code."""
        super().__init__(result.name)
        self.result = result


def read(request: Request, record: Record | None) -> Reply:
    """Answer a read."""
    if record is None:
        return Reply(Result.NOT_FOUND)
    if request.info1 & wire.INFO1_NO_BIN_DATA:
        return Reply(Result.OK, record.generation, record.void_time)
    names = None if request.info1 & wire.INFO1_GET_ALL or not request.ops else [op.name for op in request.ops]
    if any(op.code != wire.OP_READ for op in request.ops):
        return Reply(Result.UNSUPPORTED)
    if names is None and not request.info1 & wire.INFO1_GET_ALL:
        names = []
    return Reply(Result.OK, record.generation, record.void_time, tuple(_shown(record.bins, names)))


def _shown(bins: Bins, names: Sequence[bytes] | None) -> list[Op]:
    chosen = bins if names is None else {name: bins[name] for name in names if name in bins}
    return [Op(wire.OP_READ, kind, name, value) for name, (kind, value) in chosen.items()]


def check_delete(request: Request, record: Record | None) -> None:
    """Check a delete against what is there.

    Raises:
        RefusedError: it can't be done.

    """
    if request.info2 & wire.INFO2_DURABLE_DELETE:
        raise RefusedError(Result.ENTERPRISE_ONLY)
    if record is None:
        raise RefusedError(Result.NOT_FOUND)
    _check_generation(request, record)


def write(request: Request, record: Record | None, *, now_ms: int, default_ttl_s: int) -> tuple[Reply, Record | None]:
    """Apply a write; the second value is ``None`` if no bin is left, so that the record goes.

    Raises:
        RefusedError: it can't be done.

    """
    _check_existence(request, record)
    _check_generation(request, record)
    replace = request.info3 & (wire.INFO3_CREATE_OR_REPLACE | wire.INFO3_REPLACE_ONLY)
    bins: Bins = {} if record is None or replace else dict(record.bins)
    shown: list[Op] = []
    for op in request.ops:
        _apply(op, bins, shown, exists=record is not None)
    if request.info1 & wire.INFO1_GET_ALL:
        shown = _shown(bins, None)
    generation = 1
    if record is not None:
        generation = (record.generation + 1) & _GENERATION_MASK or 1
        # Nodes' clocks differ; a later update must never look older than the one it follows.
        now_ms = max(now_ms, record.updated_ms + 1)
    void_time = _void_time(request.ttl, record, now_s=now_ms // 1000, default_ttl_s=default_ttl_s)
    key = request.key or (record.key if record else b"")
    reply = Reply(Result.OK, generation, void_time, tuple(shown))
    if not bins:
        return reply, None
    if sum(len(name) + len(value) + 6 for name, (_, value) in bins.items()) > MAX_BLOB_BYTES - 1024:
        raise RefusedError(Result.TOO_BIG)
    return reply, Record(request.digest, now_ms, generation, void_time, request.set_name, key, bins)


def _check_existence(request: Request, record: Record | None) -> None:
    must_exist = request.info3 & (wire.INFO3_UPDATE_ONLY | wire.INFO3_REPLACE_ONLY)
    if record is None and (must_exist or any(op.code == wire.OP_TOUCH for op in request.ops)):
        raise RefusedError(Result.NOT_FOUND)
    if record is not None and request.info2 & wire.INFO2_CREATE_ONLY:
        raise RefusedError(Result.EXISTS)


def _check_generation(request: Request, record: Record | None) -> None:
    generation = record.generation if record else 0
    if request.info2 & wire.INFO2_GENERATION and request.generation != generation:
        raise RefusedError(Result.GENERATION)
    if request.info2 & wire.INFO2_GENERATION_GT and request.generation <= generation:
        raise RefusedError(Result.GENERATION)


def _apply(op: Op, bins: Bins, shown: list[Op], *, exists: bool) -> None:
    match op.code:
        case wire.OP_WRITE:
            if op.kind == wire.PARTICLE_NULL:
                bins.pop(op.name, None)
            else:
                bins[op.name] = (op.kind, op.value)
        case wire.OP_INCR:
            bins[op.name] = _sum(bins.get(op.name), op)
        case wire.OP_APPEND | wire.OP_PREPEND:
            kind, value = bins.get(op.name, (op.kind, b""))
            if kind != op.kind:
                raise RefusedError(Result.BIN_TYPE)
            bins[op.name] = (kind, value + op.value if op.code == wire.OP_APPEND else op.value + value)
        case wire.OP_READ:
            shown += _shown(bins, [op.name] if op.name else None)
        case wire.OP_TOUCH:
            pass
        case wire.OP_DELETE:
            if exists:
                bins.clear()
        case _:
            raise RefusedError(Result.UNSUPPORTED)


def _sum(known: tuple[int, bytes] | None, op: Op) -> tuple[int, bytes]:
    if known is None:
        return op.kind, op.value
    if known[0] != op.kind:
        raise RefusedError(Result.BIN_TYPE)
    if op.kind == wire.PARTICLE_INTEGER:
        total = int.from_bytes(known[1], "big") + int.from_bytes(op.value, "big")
        return op.kind, (total & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
    if op.kind == wire.PARTICLE_FLOAT:
        return op.kind, _DOUBLE.pack(_DOUBLE.unpack(known[1])[0] + _DOUBLE.unpack(op.value)[0])
    raise RefusedError(Result.BIN_TYPE)


def _void_time(ttl: int, record: Record | None, *, now_s: int, default_ttl_s: int) -> int:
    if ttl == _KEEP:
        return record.void_time if record else 0
    if ttl == _NEVER:
        return 0
    seconds = ttl or default_ttl_s
    return now_s + seconds if seconds else 0


def sets_ttl(request: Request) -> bool:
    """Whether the write asks for an expiry of its own (refused while nothing would ever expire it)."""
    return request.ttl not in (0, _NEVER, _KEEP)
