"""Several regions side by side, each in a process of its own: one keeps one core busy."""

import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

SPAWN = multiprocessing.get_context("spawn")
POLL_S = 1.0


@dataclass(frozen=True)
class Failed:
    """A task that could not be played, or a process that could not begin."""

    task: object
    words: str

    @property
    def line(self) -> str:
        """As a programme prints it."""
        return f"{self.task} UNPLAYABLE {self.words}"


Work = Callable[["Inbox"], None]
"""The life of one process: told where its tasks come from and where their results go."""


class Inbox:
    """One process's ends of the two queues."""

    def __init__(self, tasks: "multiprocessing.Queue[Any]", results: "multiprocessing.Queue[Any]") -> None:
        self._tasks, self._results = tasks, results

    def tasks(self) -> Iterator[Any]:
        """What is to be done, until there is no more."""
        while (task := self._tasks.get()) is not None:
            yield task

    def tell(self, result: object) -> None:
        """Give a result."""
        self._results.put(result)


class Processes:
    """Processes that take tasks from one queue."""

    def __init__(self, work: Work, *, processes: int) -> None:
        self._tasks, self._results = SPAWN.Queue(), SPAWN.Queue()
        arguments = (work, self._tasks, self._results)
        self._processes: list[SpawnProcess] = [SPAWN.Process(target=_live, args=arguments) for _ in range(processes)]

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

    @property
    def ended_well(self) -> bool:
        """Every process has put everything away."""
        return all(process.exitcode == 0 for process in self._processes)

    def give(self, tasks: Sequence[object]) -> None:
        """Let these be done."""
        for task in tasks:
            self._tasks.put(task)

    def end(self, takers: int | None = None) -> None:
        """Let nothing be done after that; told to whoever takes tasks, one in each process unless said otherwise."""
        self.give([None] * (len(self._processes) if takers is None else takers))

    def results(self, count: int) -> Iterator[Any]:
        """So many results, as they come.

        Raises:
            RuntimeError: a process has died before.

        """
        for _ in range(count):
            yield self._next()

    def _next(self) -> object:
        while True:
            try:
                result: object = self._results.get(timeout=POLL_S)
            except queue.Empty:
                if any(process.exitcode for process in self._processes):
                    raise RuntimeError("a process has died: what it says stands above") from None
            else:
                return result


def _live(work: Work, tasks: "multiprocessing.Queue[Any]", results: "multiprocessing.Queue[Any]") -> None:
    signal.signal(signal.SIGTERM, _end)
    Thread(target=_end_with_parent, daemon=True).start()
    work(Inbox(tasks, results))


def _end(*_: object) -> None:
    """Let ``finally`` put everything away."""
    raise SystemExit(1)


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def words_of(error: BaseException) -> str:
    """An error and where it came from, in a line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
