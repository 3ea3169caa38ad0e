"""The client protocol's messages (type 3): requests, replies and batches, as far as the official client needs."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PROTO_VERSION = 2
PROTO_INFO = 1
PROTO_MESSAGE = 3
_MESSAGE = struct.Struct(">BBBBBBIIIHH")
_FIELD = struct.Struct(">IB")
_OP = struct.Struct(">IBBBB")
_BATCH_HEAD = struct.Struct(">IB")
_COUNTS = struct.Struct(">HH")

FIELD_NAMESPACE, FIELD_SET, FIELD_KEY, FIELD_DIGEST, FIELD_QUERY_ID, FIELD_BATCH = 0, 1, 2, 4, 7, 41
FIELD_RATE, FIELD_PARTITIONS, FIELD_DIGESTS, FIELD_LIMIT, FIELD_FILTER = 10, 11, 12, 13, 43
_BEYOND_US = frozenset({22, 30})
"""A range of an index, a UDF."""

INFO1_READ, INFO1_GET_ALL, INFO1_BATCH, INFO1_XDR, INFO1_NO_BIN_DATA = 1, 2, 8, 16, 32
INFO2_WRITE, INFO2_DELETE, INFO2_GENERATION, INFO2_GENERATION_GT = 1, 2, 4, 8
INFO2_DURABLE_DELETE, INFO2_CREATE_ONLY, INFO2_RESPOND_ALL = 16, 32, 128
INFO3_LAST, INFO3_PARTITION_DONE, INFO3_UPDATE_ONLY, INFO3_CREATE_OR_REPLACE, INFO3_REPLACE_ONLY = 1, 4, 8, 16, 32

OP_READ, OP_WRITE, OP_INCR, OP_APPEND, OP_PREPEND, OP_TOUCH, OP_DELETE = 1, 2, 5, 9, 10, 11, 14
PARTICLE_NULL, PARTICLE_INTEGER, PARTICLE_FLOAT = 0, 1, 2

_BATCH_REPEAT, _BATCH_INFO, _BATCH_GENERATION, _BATCH_TTL, _BATCH_INFO4 = 1, 2, 4, 8, 16


class Result(IntEnum):
    """Result codes as the real server numbers them."""

    OK = 0
    NOT_FOUND = 2
    GENERATION = 3
    PARAMETER = 4
    EXISTS = 5
    OUT_OF_SPACE = 8
    TIMEOUT = 9
    UNAVAILABLE = 11
    BIN_TYPE = 12
    TOO_BIG = 13
    UNSUPPORTED = 16
    DEVICE_OVERLOAD = 18
    NAMESPACE = 20
    FORBIDDEN = 22
    ENTERPRISE_ONLY = 25


class ProtocolError(ValueError):
    """The bytes are no message that we understand."""


class Op(NamedTuple):
    """One operation of a request, or one bin of a reply."""

    code: int
    kind: int
    name: bytes
    value: bytes


@dataclass(slots=True)
class Request:
    """One transaction on one record."""

    info1: int
    info2: int
    info3: int
    generation: int
    ttl: int
    namespace: str
    set_name: bytes
    key: bytes
    digest: bytes
    ops: list[Op] = field(default_factory=list)
    batch: bytes | None = None
    rest: dict[int, bytes] | None = None
    """All other fields; only queries and scans have some that count."""

    @property
    def scans(self) -> bool:
        """Whether it is a scan of partitions."""
        rest = self.rest or {}
        return (FIELD_PARTITIONS in rest or FIELD_DIGESTS in rest) and not _BEYOND_US & rest.keys()

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return bool(self.info2 & INFO2_WRITE)


class Reply(NamedTuple):
    """The outcome of one transaction."""

    result: int
    generation: int = 0
    void_time: int = 0
    ops: tuple[Op, ...] = ()


def parse_request(body: bytes) -> Request:
    """Read a message's body (what follows the 8-byte proto header).

    Raises:
        ProtocolError: it is cut short.

    """
    try:
        _, info1, info2, info3, _, _, generation, ttl, _, field_count, op_count = _MESSAGE.unpack_from(body)
        request = Request(info1, info2, info3, generation, ttl, "", b"", b"", b"")
        at = _parse_fields(body, body[0], field_count, request)
        _parse_ops(body, at, op_count, request)
    except (struct.error, IndexError) as error:
        raise ProtocolError(str(error)) from error
    return request


def _parse_fields(body: bytes, at: int, count: int, request: Request) -> int:
    for _ in range(count):
        size, kind = _FIELD.unpack_from(body, at)
        value = body[at + 5 : at + 4 + size]
        at += 4 + size
        if kind == FIELD_DIGEST:
            request.digest = value
        elif kind == FIELD_NAMESPACE:
            request.namespace = value.decode()
        elif kind == FIELD_SET:
            request.set_name = value
        elif kind == FIELD_KEY:
            request.key = value
        elif kind == FIELD_BATCH:
            request.batch = value
        else:
            request.rest = {**(request.rest or {}), kind: value}
    return at


def _parse_ops(body: bytes, at: int, count: int, request: Request) -> int:
    for _ in range(count):
        size, code, kind, _, name_length = _OP.unpack_from(body, at)
        name = body[at + 8 : at + 8 + name_length]
        request.ops.append(Op(code, kind, name, body[at + 8 + name_length : at + 4 + size]))
        at += 4 + size
    return at


def parse_batch(batch: bytes) -> list[tuple[int, Request]]:
    """Read a batch field: the index of each record and its transaction.

    Raises:
        ProtocolError: it is cut short.

    """
    try:
        count, _ = _BATCH_HEAD.unpack_from(batch)
        at = _BATCH_HEAD.size
        requests: list[tuple[int, Request]] = []
        for _ in range(count):
            index = int.from_bytes(batch[at : at + 4], "big")
            digest = batch[at + 4 : at + 24]
            flags = batch[at + 24]
            at += 25
            if flags & _BATCH_REPEAT:
                last = requests[-1][1]
                request = Request(last.info1, last.info2, last.info3, last.generation, last.ttl, "", b"", b"", b"")
                request.namespace, request.set_name, request.ops = last.namespace, last.set_name, last.ops
            else:
                at, request = _parse_batch_request(batch, at, flags)
            request.digest = digest
            requests.append((index, request))
    except (struct.error, IndexError) as error:
        raise ProtocolError(str(error)) from error
    return requests


def _parse_batch_request(batch: bytes, at: int, flags: int) -> tuple[int, Request]:
    request = Request(batch[at], 0, 0, 0, 0, "", b"", b"", b"")
    if flags & _BATCH_INFO:
        request.info2, request.info3 = batch[at + 1], batch[at + 2]
        at += 4 if flags & _BATCH_INFO4 else 3
    else:
        at += 1
    if flags & _BATCH_GENERATION:
        request.generation = int.from_bytes(batch[at : at + 2], "big")
        at += 2
    if flags & _BATCH_TTL:
        request.ttl = int.from_bytes(batch[at : at + 4], "big")
        at += 4
    field_count, op_count = _COUNTS.unpack_from(batch, at)
    at = _parse_fields(batch, at + 4, field_count, request)
    return _parse_ops(batch, at, op_count, request), request


def encode_request(request: Request) -> bytes:
    """Write a request's body again, to hand it on to the partition's master."""
    fields = [(FIELD_NAMESPACE, request.namespace.encode()), (FIELD_DIGEST, request.digest)]
    fields += [(FIELD_SET, request.set_name)] if request.set_name else []
    fields += [(FIELD_KEY, request.key)] if request.key else []
    flags = (22, request.info1, request.info2, request.info3, 0, 0)
    counts = (request.generation, request.ttl, 0, len(fields), len(request.ops))
    parts = [_MESSAGE.pack(*flags, *counts)]
    for kind, value in fields:
        parts += (_FIELD.pack(len(value) + 1, kind), value)
    return b"".join(parts + _encode_ops(tuple(request.ops)))


def _encode_ops(ops: tuple[Op, ...]) -> list[bytes]:
    parts: list[bytes] = []
    for op in ops:
        size = 4 + len(op.name) + len(op.value)
        parts += (_OP.pack(size, op.code, op.kind, 0, len(op.name)), op.name, op.value)
    return parts


def encode_reply(reply: Reply, *, batch_index: int = 0, last: bool = False) -> bytes:
    """Write the body of a reply; in a batch the index stands where a request has its timeout."""
    info3 = INFO3_LAST if last else 0
    counts = (reply.generation, reply.void_time, batch_index, 0, len(reply.ops))
    head = _MESSAGE.pack(22, 0, 0, info3, 0, reply.result, *counts)
    return b"".join([head, *_encode_ops(reply.ops)]) if reply.ops else head


def encode_scan_reply(reply: Reply, *, fields: Sequence[tuple[int, bytes]] = (), info3: int = 0) -> bytes:
    """Write a record that a scan has found (``fields`` name it), or a note about a partition."""
    counts = (reply.generation, reply.void_time, 0, len(fields), len(reply.ops))
    parts = [_MESSAGE.pack(22, 0, 0, info3, 0, reply.result, *counts)]
    for kind, value in fields:
        parts += (_FIELD.pack(len(value) + 1, kind), value)
    return b"".join(parts + _encode_ops(reply.ops))


def decode_reply(body: bytes) -> Reply:
    """Read what ``encode_reply`` wrote (proxied transactions)."""
    _, _, _, _, _, result, generation, void_time, _, _, op_count = _MESSAGE.unpack_from(body)
    request = Request(0, 0, 0, 0, 0, "", b"", b"", b"")
    _parse_ops(body, _MESSAGE.size, op_count, request)
    return Reply(result, generation, void_time, tuple(request.ops))


def frame(kind: int, body: bytes) -> bytes:
    """Put the 8-byte proto header before a body."""
    return (PROTO_VERSION << 56 | kind << 48 | len(body)).to_bytes(8, "big") + body
