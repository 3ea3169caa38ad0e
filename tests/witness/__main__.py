"""Let the witness judge: ``python -m tests.witness [--runs n] [--seed s] [--mutations n]``."""

import argparse
import os
import random
import sys

from sandbox.dataplane.probe import probe
from tests.crew import Processes
from tests.witness.mutations import MUTATIONS, Tried
from tests.witness.play import Outcome
from tests.witness.rounds import Player, Task, mutation_rounds_of, rounds_of

RUNS = 60
LANES = 2
"""Clusters of one process: they mostly wait."""


def main(argv: list[str] | None = None) -> int:
    """Play all runs and all mutations → 1 if a label was wrong, or a mutation was not seen."""
    given = _options(argv)
    names = _mutations(given)
    seeds = range(given.seed, given.seed + given.runs)
    processes = max(1, given.processes)
    # A cluster takes a while to launch: none for less than two runs.
    lanes = max(1, min(given.lanes, (len(names) + given.runs) // (2 * processes)))
    tasks: list[Task] = [*mutation_rounds_of(names, lanes=lanes), *rounds_of(seeds, lanes=lanes)]
    outcomes: list[Outcome] = []
    tried: list[Tried] = []
    crew = Processes(Player(lanes, given.mode), processes=min(processes, len(tasks)))
    with crew:
        crew.give(tasks)
        crew.end()
        for result in crew.results(len(seeds) + len(names)):
            match result:
                case Outcome():
                    outcomes.append(result)
                case Tried():
                    tried.append(result)
            print(result.line, flush=True)
    mislabelled = sum(outcome.refuted for outcome in outcomes)
    caught = sum(mutation.caught for mutation in tried)
    print(f"witness: runs={len(outcomes)} mislabelled={mislabelled} mutations_caught={caught}/{len(names)}", flush=True)
    sound = len(outcomes) == len(seeds) and not any(outcome.fault for outcome in outcomes)
    return 0 if sound and caught == len(names) and crew.ended_well else 1


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.witness", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next one has the next")
    parser.add_argument("--mutations", type=int, default=None, help="so many of them, chosen by the seed; else all")
    parser.add_argument("--mutation", action="append", choices=[m.name for m in MUTATIONS], help="only this one")
    parser.add_argument("--lanes", type=int, default=LANES, help="clusters of each process")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--mode", choices=("namespaces", "directory"), help="of the data plane; by default by probing")
    return parser.parse_args(argv)


def _mutations(given: argparse.Namespace) -> list[str]:
    """The mutations to be tried; says of those that can't show here why not."""
    if given.mutation:
        return list(given.mutation)
    whole = probe().suffices and given.mode != "directory"
    shown = []
    for mutation in MUTATIONS:
        if mutation.frozen and not whole:
            print(f"mutation={mutation.name} left out: here nothing is frozen or cut as on EC2")
        elif mutation.own_clocks and not probe().clocks:
            print(f"mutation={mutation.name} left out: here nodes have no clocks of their own")
        else:
            shown.append(mutation.name)
    if given.mutations is None:
        return shown
    return sorted(random.Random(f"mutations/{given.seed}").sample(shown, min(given.mutations, len(shown))))


if __name__ == "__main__":
    sys.exit(main())
