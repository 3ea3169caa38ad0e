"""Several fields side by side, each in a process of its own: a region is one process, which keeps one core busy."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.crash.field import Field
from tests.crash.invariants import orphans
from tests.crash.play import Player, Report
from tests.crash.rows import Row, Scene, Site
from tests.crew import Inbox, Processes


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


class Crew(Processes):
    """Processes with a field each, which take tasks from one queue, several at a time."""

    def __init__(self, *, fields: int, hands: int) -> None:
        """Open the fields.

        Args:
            fields: how many processes.
            hands: tasks that each of them does at once.

        """
        super().__init__(partial(_work, hands), processes=fields)
        self._fields, self._hands = fields, hands

    def do(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Each task's result, as it comes."""
        self.give(tasks)
        return self.results(len(tasks))

    def dismiss(self) -> Iterator[str]:
        """Close every field → what is nobody's in them."""
        self.end(self._fields * self._hands)
        for left in self.results(self._fields):
            if isinstance(left, Left):
                yield from left.orphans


def _work(hands: int, inbox: Inbox) -> None:
    """The life of one process."""
    field = Field.open()
    signal.signal(signal.SIGTERM, lambda *_: _leave(field))
    try:
        player = Player(field)
        with ThreadPoolExecutor(hands, thread_name_prefix="row") as pool:
            for work in [pool.submit(_serve, player, inbox) for _ in range(hands)]:
                work.result()
        inbox.tell(Left(tuple(str(breach) for breach in orphans(field))))
    finally:
        field.close()


def _leave(field: Field) -> None:
    """Nothing is left behind, whatever its hands are at."""
    field.close()
    os._exit(1)


def _serve(player: Player, inbox: Inbox) -> None:
    for task in inbox.tasks():
        match task:
            case Scouting(journey, scene, number):
                inbox.tell(Scouted(journey, tuple(player.scout(journey, scene, number))))
            case Playing(row, number):
                inbox.tell(player.play(row, number))
