"""Several fields side by side, each in a process of its own: a region is one process, which keeps one core busy."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.crash.field import Field
from tests.crash.invariants import orphans
from tests.crash.play import Player, Report
from tests.crash.rows import Row, Scene, Site

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

SPAWN = multiprocessing.get_context("spawn")
POLL_S = 1.0


@dataclass(frozen=True)
class Scouting:
    """A scene to be played unstruck."""

    journey: str
    scene: Scene
    number: int


@dataclass(frozen=True)
class Playing:
    """A row to be played."""

    row: Row
    number: int


@dataclass(frozen=True)
class Scouted:
    """The calls of a scene."""

    journey: str
    sites: tuple[Site, ...]


@dataclass(frozen=True)
class Left:
    """What a field that was closed still had in it, and should not."""

    orphans: tuple[str, ...]


Task = Scouting | Playing
Result = Scouted | Report | Left


class Crew:
    """Processes with a field each, which take tasks from one queue, several at a time."""

    def __init__(self, *, fields: int, hands: int) -> None:
        """Open the fields.

        Args:
            fields: how many processes.
            hands: tasks that each of them does at once.

        """
        self._tasks, self._results = SPAWN.Queue(), SPAWN.Queue()
        self._hands = hands
        arguments = (self._tasks, self._results, hands)
        self._processes: list[SpawnProcess] = [SPAWN.Process(target=_work, args=arguments) for _ in range(fields)]

    def __enter__(self) -> Self:
        """Begin."""
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End those that still run."""
        for process in self._processes:
            if kind is not None:
                process.terminate()
            process.join()

    def do(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Each task's result, as it comes."""
        for task in tasks:
            self._tasks.put(task)
        for _ in tasks:
            yield self._next()

    def dismiss(self) -> Iterator[str]:
        """Close every field → what is nobody's in them."""
        for _ in range(len(self._processes) * self._hands):
            self._tasks.put(None)
        for _ in self._processes:
            left = self._next()
            if isinstance(left, Left):
                yield from left.orphans

    def _next(self) -> Result:
        while True:
            try:
                result: Result = self._results.get(timeout=POLL_S)
            except queue.Empty:
                if any(process.exitcode for process in self._processes):
                    raise RuntimeError("a field's process has died: what it says stands above") from None
            else:
                return result


def _work(tasks: "multiprocessing.Queue[Task | None]", results: "multiprocessing.Queue[Result]", hands: int) -> None:
    """The life of one process."""
    field = Field.open()
    signal.signal(signal.SIGTERM, lambda *_: _leave(field))
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        player = Player(field)
        with ThreadPoolExecutor(hands, thread_name_prefix="row") as pool:
            for work in [pool.submit(_serve, player, tasks, results) for _ in range(hands)]:
                work.result()
        results.put(Left(tuple(str(breach) for breach in orphans(field))))
    finally:
        field.close()


def _leave(field: Field) -> None:
    """Nothing is left behind, whatever its hands are at."""
    field.close()
    os._exit(1)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _serve(
    player: Player, tasks: "multiprocessing.Queue[Task | None]", results: "multiprocessing.Queue[Result]"
) -> None:
    while (task := tasks.get()) is not None:
        match task:
            case Scouting(journey, scene, number):
                results.put(Scouted(journey, tuple(player.scout(journey, scene, number))))
            case Playing(row, number):
                results.put(player.play(row, number))
