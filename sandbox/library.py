"""``python -m sandbox.library``: a set of records of many kinds, and the witness who knows what each must hold."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import aerospike
from aerospike.exception import AerospikeError
from aerospike_helpers.batch.records import BatchRecords, Write
from aerospike_helpers.operations import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

SET = "library"
_CHUNK = 400
_RETRY_S = 0.3
_WAIT_S = 30.0
_POLICY = {"total_timeout": 10_000, "socket_timeout": 5_000, "max_retries": 5}


def bins_of(number: int) -> dict[str, Any]:
    """What record ``number`` holds: nothing of it must get lost on its way through text, pipes and the vault."""
    return {
        "n": number,
        "ratio": number / 7,
        "title": f"book {number}\nof a “library” \\ with lines",
        "cover": bytes((number + step) % 256 for step in range(24)),
        "tags": ["a", number % 5, {"deep": [number]}],
    }


def main() -> int:
    """Fill the set, or tell what is missing of it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.library", description=__doc__)
    parser.add_argument("verb", choices=("fill", "judge"))
    parser.add_argument("--seeds", required=True, help="ip:port[,ip:port…]")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--count", required=True, type=int)
    options = parser.parse_args()
    hosts = [(ip, int(port)) for ip, _, port in (seed.rpartition(":") for seed in options.seeds.split(","))]
    client = aerospike.client({"hosts": hosts, "policies": {"batch": _POLICY}}).connect()
    try:
        if options.verb == "fill":
            for chunk in _chunks(options.count):
                _insist(client, options.namespace, chunk)
        else:
            print(json.dumps(_judge(client, options.namespace, options.count)))
    finally:
        client.close()
    return 0


def _chunks(count: int) -> Iterator[range]:
    return (range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


def _insist(client: aerospike.Client, namespace: str, numbers: range) -> None:
    """Write a chunk until all of it is acknowledged."""
    deadline, waiting = time.monotonic() + _WAIT_S, list(numbers)
    while waiting:
        batch = BatchRecords([_write(namespace, number) for number in waiting])
        try:
            client.batch_write(batch, _POLICY)
            waiting = [n for n, done in zip(waiting, batch.batch_records, strict=True) if done.result != 0]
        except AerospikeError:
            if time.monotonic() > deadline:
                raise
        if waiting:
            time.sleep(_RETRY_S)
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(waiting)} records were not taken")


def _write(namespace: str, number: int) -> Write:
    ops = [operations.write(name, value) for name, value in bins_of(number).items()]
    return Write((namespace, SET, number), ops)


def _judge(client: aerospike.Client, namespace: str, count: int) -> dict[str, int]:
    """How many are not there, and how many hold something else."""
    missing = different = 0
    for chunk in _chunks(count):
        found = client.batch_read([(namespace, SET, number) for number in chunk], policy=_POLICY)
        for number, one in zip(chunk, found.batch_records, strict=True):
            if one.result != 0 or one.record is None:
                missing += 1
            elif one.record[2] != bins_of(number):
                different += 1
    return {"missing": missing, "different": different}


if __name__ == "__main__":
    sys.exit(main())
