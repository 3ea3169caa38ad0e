"""The filter expressions that backup tools send with a scan: a record's times and its set, compared and combined."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sandbox.packed import UnreadableError, unpack
from sandbox.standin import record

if TYPE_CHECKING:
    from collections.abc import Callable

    Expression = Callable[[bytes], Any]

_COMPARE = {1: operator.eq, 2: operator.ne, 3: operator.gt, 4: operator.ge, 5: operator.lt, 6: operator.le}
_AND, _OR, _NOT = 16, 17, 18
_LAST_UPDATE, _VOID_TIME, _SET_NAME = 66, 68, 70
_NANOSECONDS = 1_000_000_000


class UnknownExpressionError(ValueError):
    """The stand-in can't evaluate it."""


def read(packed: bytes) -> Expression:
    """Read an expression; the result tells of a record's bytes what the expression does.

    Raises:
        UnknownExpressionError: it is no expression, or one beyond the stand-in.

    """
    try:
        return _build(unpack(packed))
    except UnreadableError as error:
        raise UnknownExpressionError(str(error)) from error


def _build(tree: object) -> Expression:
    if not isinstance(tree, list):
        return lambda _: tree
    match tree:
        case [int(code), left, right] if code in _COMPARE:
            compare, one, other = _COMPARE[code], _build(left), _build(right)
            return lambda blob: compare(one(blob), other(blob))
        case [int(code), *parts] if code in (_AND, _OR):
            built, decide = [_build(part) for part in parts], all if code == _AND else any
            return lambda blob: decide(part(blob) for part in built)
        case [int(code), part] if code == _NOT:
            inner = _build(part)
            return lambda blob: not inner(blob)
        case [int(code)] if code in _READERS:
            return _READERS[code]
        case _:
            raise UnknownExpressionError(repr(tree)[:80])


def _last_update_ns(blob: bytes) -> int:
    """Nanoseconds since 1970."""
    return record.version_of(blob).updated_ms * 1_000_000 + record.EPOCH_2010_S * _NANOSECONDS


def _void_time_ns(blob: bytes) -> int:
    """Nanoseconds since 1970; -1 for a record that never expires."""
    void_time = record.void_time_of(blob)
    return (void_time + record.EPOCH_2010_S) * _NANOSECONDS if void_time else -1


_READERS: dict[int, Expression] = {
    _LAST_UPDATE: _last_update_ns,
    _VOID_TIME: _void_time_ns,
    _SET_NAME: lambda blob: record.set_of(blob).decode(),
}
