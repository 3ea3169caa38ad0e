"""Play runs in rounds: one latency profile at a time, a run on each lane of a site."""

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from tests.crew import Failed, Inbox, words_of
from tests.witness.drawing import SHARES, draw
from tests.witness.lane import Lane
from tests.witness.mutating import mutants_on_hosts
from tests.witness.mutations import Tried, mutation_named, try_mutation
from tests.witness.paces import pace_named
from tests.witness.play import Outcome, play
from tests.witness.site import Site

T = TypeVar("T")
RUNS_PER_CLUSTER = 10
"""Then a new one: what earlier runs have written fills the disks."""
SLOWEST_FIRST = tuple(reversed(SHARES))


@dataclass(frozen=True)
class Round:
    """Runs of one profile."""

    profile: str
    seeds: tuple[int, ...]


def rounds_of(seeds: Sequence[int], *, lanes: int) -> list[Round]:
    """The slowest first, so that nobody waits for one of them at the end."""
    by_profile = {profile: [s for s in seeds if draw(s).profile == profile] for profile in SLOWEST_FIRST}
    return [
        Round(profile, tuple(batch))
        for profile, found in by_profile.items()
        for batch in (found[at : at + lanes] for at in range(0, len(found), lanes))
    ]


@dataclass(frozen=True)
class MutationRound:
    """Mutations that don't get in each other's way."""

    names: tuple[str, ...]


Task = Round | MutationRound


def mutation_rounds_of(names: Sequence[str], *, lanes: int) -> list[MutationRound]:
    """Side by side where that changes nothing."""
    alone = [name for name in names if mutation_named(name).alone]
    beside = [name for name in names if name not in alone]
    batches = [beside[at : at + lanes] for at in range(0, len(beside), lanes)]
    return [MutationRound(tuple(batch)) for batch in [*([name] for name in alone), *batches]]


class Lanes:
    """The lanes of a site; one that broke, or has grown old, is replaced."""

    def __init__(self, site: Site, count: int) -> None:
        self._site, self._numbers = site, itertools.count()
        self._launching = threading.Lock()
        self._free: queue.SimpleQueue[Lane | None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def play(self, seed: int) -> Outcome | Failed:
        """Play a run on the next free one."""
        return self._on_a_lane(seed, lambda lane: play(lane, draw(seed), name=str(seed)))

    def mutate(self, name: str) -> Tried | Failed:
        """Try a mutation on the next free one."""
        return self._on_a_lane(name, lambda lane: try_mutation(lane, mutation_named(name), name=name))

    def _on_a_lane(self, task: object, act: Callable[[Lane], T]) -> T | Failed:
        lane = self._free.get()
        try:
            lane = lane or self._new()
            result = act(lane)
        except Exception as error:  # noqa: BLE001  # one run's misfortune is its report
            self._replace(lane)
            return Failed(task, words_of(error))
        lane.runs += 1
        if lane.runs < RUNS_PER_CLUSTER:
            self._free.put(lane)
        else:
            self._replace(lane)
        return result

    def _new(self) -> Lane:
        with self._launching:
            return Lane(self._site, next(self._numbers))

    def _replace(self, lane: Lane | None) -> None:
        if lane is not None:
            lane.close()
        self._free.put(None)


@dataclass(frozen=True)
class Player:
    """The life of a process that plays rounds."""

    lanes: int
    mode: str | None

    def __call__(self, inbox: Inbox) -> None:
        """Play until there are no more."""
        site = Site.open(mode=self.mode)
        try:
            lanes = Lanes(site, self.lanes)
            with ThreadPoolExecutor(self.lanes, thread_name_prefix="lane") as pool:
                for task in inbox.tasks():
                    for result in self._played(site, lanes, task, pool):
                        inbox.tell(result)
        finally:
            site.close()

    @staticmethod
    def _played(site: Site, lanes: Lanes, task: Task, pool: ThreadPoolExecutor) -> Iterator[Outcome | Tried | Failed]:
        match task:
            case Round():
                site.pace.use(pace_named(task.profile, seed=task.seeds[0]))
                yield from pool.map(lanes.play, task.seeds)
            case MutationRound():
                site.pace.use(pace_named("quick", seed=0))
                with mutants_on_hosts(site):
                    yield from pool.map(lanes.mutate, task.names)
