"""``python -m sandbox.witness write|judge``: the witness as a program of its own."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from aerospike.exception import AerospikeError

from sandbox.witness.ledger import Ledger, read
from sandbox.witness.reader import NotReadyError, read_all, wait_ready
from sandbox.witness.verdict import Period, judge
from sandbox.witness.writer import Writer, connect


def _seeds(text: str) -> list[tuple[str, int]]:
    return [(host, int(port)) for host, _, port in (part.rpartition(":") for part in text.split(","))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="witness", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    write = verbs.add_parser("write", help="write until SIGTERM and keep the ledger")
    write.add_argument("--namespaces", required=True, type=lambda text: text.split(","))
    write.add_argument("--rate", type=float, default=1000.0, help="writes per second, all namespaces together")
    write.add_argument("--seconds", type=float, help="stop by itself after so long")
    tell = verbs.add_parser("judge", help="compare a restored cluster with the ledger")
    tell.add_argument("--first-request", required=True, type=float, help="epoch seconds of the first cut request")
    tell.add_argument("--last-response", required=True, type=float, help="epoch seconds of the last cut response")
    tell.add_argument(
        "--reopened",
        type=float,
        default=float("inf"),
        help="epoch seconds between the end of the old servers and the first write to the restored ones",
    )
    tell.add_argument("--nodes", type=int, help="nodes that must be one cluster first (default: as many as seeds)")
    for verb in (write, tell):
        verb.add_argument("--seeds", required=True, type=_seeds, help="ip:port[,ip:port…]")
        verb.add_argument("--ledger", required=True, type=Path)
        verb.add_argument("--wait", type=float, default=60.0, help="seconds to wait for the cluster")
    return parser.parse_args()


def _write(arguments: argparse.Namespace) -> int:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.seconds:
        timer = threading.Timer(arguments.seconds, stopping.set)
        timer.daemon = True
        timer.start()
    client = connect(arguments.seeds, timeout_s=arguments.wait)
    ledger = Ledger(arguments.ledger)
    try:
        Writer(client, ledger, arguments.namespaces, arguments.rate, stopping).run()
    finally:
        ledger.close()
        client.close()
    print(json.dumps({outcome.name.lower(): count for outcome, count in ledger.counts.items()}))
    return 0


def _judge(arguments: argparse.Namespace) -> int:
    deadline = time.monotonic() + arguments.wait
    with arguments.ledger.open() as lines:
        entries = list(read(lines))
    client = connect(arguments.seeds, timeout_s=arguments.wait)
    try:
        wait_ready(client, nodes=arguments.nodes or len(arguments.seeds), deadline=deadline)
        keys = list(dict.fromkeys((entry.namespace, entry.key) for entry in entries))
        found = read_all(client, keys, deadline=time.monotonic() + arguments.wait)
    finally:
        client.close()
    verdict = judge(entries, found, Period(arguments.first_request, arguments.last_response, arguments.reopened))
    print(json.dumps(asdict(verdict)))
    return 0


def main() -> int:
    """Run one verb; exit 1 with the reason on stderr if the cluster could not be reached or read."""
    arguments = _arguments()
    try:
        return _write(arguments) if arguments.verb == "write" else _judge(arguments)
    except (NotReadyError, AerospikeError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
