"""The reading half: wait for the restored cluster, then look up every key of the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aerospike.exception import AerospikeError

from sandbox.witness.verdict import Found
from sandbox.witness.writer import SET

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import aerospike

_CHUNK = 500
_PAUSE_S = 0.25
_NOT_FOUND = 2
_POLICY = {"total_timeout": 10_000, "socket_timeout": 5000, "max_retries": 3}


class NotReadyError(Exception):
    """The cluster did not become ready, or went away while it was read."""


def wait_ready(client: aerospike.Client, *, nodes: int, deadline: float) -> None:
    """Wait until at least ``nodes`` nodes are one settled cluster.

    Raises:
        NotReadyError: not by ``deadline`` (of ``time.monotonic``).

    """
    seen = "nothing"
    while time.monotonic() < deadline:
        try:
            replies = client.info_all("cluster-stable:ignore-migrations=false")
        except AerospikeError as error:
            seen = str(error)
        else:
            keys = {str(text).rpartition("\t")[2].strip() for _, text in replies.values()}
            seen = f"{len(replies)} nodes: {', '.join(sorted(keys))}"
            if len(replies) >= nodes and len(keys) == 1 and not any(key.startswith("ERROR") for key in keys):
                return
        time.sleep(_PAUSE_S)
    raise NotReadyError(f"cluster not ready: {seen}")


def read_all(
    client: aerospike.Client, keys: Sequence[tuple[str, str]], *, deadline: float
) -> dict[tuple[str, str], Found]:
    """Return what each (namespace, key) holds; missing keys are left out.

    Raises:
        NotReadyError: some key could not be read by ``deadline``.

    """
    found: dict[tuple[str, str], Found] = {}
    left = list(keys)
    while left:
        unread: list[tuple[str, str]] = []
        for at in range(0, len(left), _CHUNK):
            chunk = left[at : at + _CHUNK]
            for where, result, held in _read_chunk(client, chunk):
                if held is not None:
                    found[where] = held
                elif result != _NOT_FOUND:
                    unread.append(where)
        if unread and time.monotonic() > deadline:
            raise NotReadyError(f"{len(unread)} keys could not be read, the first {unread[0]}")
        if unread:
            time.sleep(_PAUSE_S)
        left = unread
    return found


def _read_chunk(
    client: aerospike.Client,
    chunk: Sequence[tuple[str, str]],
) -> Iterator[tuple[tuple[str, str], int, Found | None]]:
    try:
        batch = client.batch_read([(namespace, SET, key) for namespace, key in chunk], policy=_POLICY)
    except AerospikeError:
        for where in chunk:
            yield where, -1, None
        return
    for where, record in zip(chunk, batch.batch_records, strict=True):
        if record.result == 0 and record.record is not None:
            bins = record.record[2]
            yield where, 0, Found(int(bins["value"]), int(bins["times"]))
        else:
            yield where, int(record.result), None
