"""``python -m sandbox.records``: records in a set of their own, to be put, deleted, read and counted."""

from __future__ import annotations

import argparse
import sys
import time

import aerospike
from aerospike.exception import AerospikeError, RecordNotFound

_CHUNK = 500
_RETRY_S = 0.2
_FOUND = 0
_POLICY = {"total_timeout": 3000, "socket_timeout": 3000, "max_retries": 5}


def main() -> int:
    """Do one verb with the records 0 to count - 1 → 0; ``count`` prints how many are there."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.records", description=__doc__)
    parser.add_argument("verb", choices=("put", "delete", "count"))
    parser.add_argument("--seeds", required=True, help="ip:port[,ip:port…]")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--set", required=True)
    parser.add_argument("--count", required=True, type=int)
    parser.add_argument("--value", type=int, default=0, help="what the records hold in bin n")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds for which failing calls are tried again")
    options = parser.parse_args()
    hosts = [(ip, int(port)) for ip, _, port in (seed.rpartition(":") for seed in options.seeds.split(","))]
    policies = {"read": _POLICY, "write": _POLICY, "remove": _POLICY, "batch": _POLICY}
    client = aerospike.client({"hosts": hosts, "policies": policies}).connect()
    keys = [(options.namespace, options.set, number) for number in range(options.count)]
    try:
        if options.verb == "count":
            print(sum(_found(client, keys[at : at + _CHUNK]) for at in range(0, len(keys), _CHUNK)))
        else:
            for key in keys:
                _insist(client, options.verb, key, value=options.value, wait_s=options.wait)
    finally:
        client.close()
    return 0


def _insist(client: aerospike.Client, verb: str, key: tuple[str, str, int], *, value: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            if verb == "put":
                client.put(key, {"n": value})
            else:
                client.remove(key)
        except RecordNotFound:
            return
        except AerospikeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def _found(client: aerospike.Client, keys: list[tuple[str, str, int]]) -> int:
    batch = client.batch_read(keys, policy=_POLICY)
    return sum(record.result == _FOUND for record in batch.batch_records)


if __name__ == "__main__":
    sys.exit(main())
