"""See whether hosts end a write stop by themselves: ``python -m tests.lease [--runs n] [--seed s]``."""

import argparse
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from sandbox.dataplane.choose import choose
from tests.lease.drawing import Drawn, draw
from tests.lease.lane import Lane
from tests.lease.play import Ended, play

RUNS = 20
NODES = 5
TRIES = 3


def main(argv: list[str] | None = None) -> int:
    """Play all runs → 1 if writes did not flow again in time in any of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.lease", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=NODES, help="played on side by side")
    parser.add_argument("--mode", choices=("namespaces", "directory"), help="of the data plane; by default by probing")
    given = parser.parse_args(argv)
    released = _play_all(draw(given.seed, given.runs), nodes=min(given.nodes, given.runs), mode=given.mode)
    print(f"lease-check: runs={given.runs} released={released}", flush=True)
    return 0 if released == given.runs else 1


def _play_all(runs: Sequence[Drawn], *, nodes: int, mode: str | None) -> int:
    plane = choose(mode=mode)
    for shortcoming in plane.shortcomings:
        print(f"this mode cannot show: {shortcoming}", flush=True)
    released = 0
    try:
        plane.start()
        free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        with ThreadPoolExecutor(nodes, thread_name_prefix="lane") as pool:
            for lane in pool.map(lambda number: Lane(plane, number), range(nodes)):
                free.put(lane)
            for done in as_completed([pool.submit(_play, free, drawn) for drawn in runs]):
                released += done.result()
    finally:
        plane.close()
    return released


def _play(free: "queue.SimpleQueue[Lane]", drawn: Drawn) -> bool:
    """Play one on the next free node, again if the lease did not last as it was to: that would show less."""
    lane = free.get()
    try:
        for number in range(TRIES):
            ended: Ended = play(lane, drawn, run=f"lease-{drawn.seed}-{number}")
            print(ended.line, flush=True)
            if ended.is_as_meant or not ended.released:
                return ended.released and ended.is_as_meant
    except Exception as error:  # noqa: BLE001  # one run's misfortune is its report
        print(f"seed={drawn.seed} {drawn.words} UNPLAYABLE {type(error).__name__}: {error}", flush=True)
    finally:
        free.put(lane)
    return False


if __name__ == "__main__":
    sys.exit(main())
