"""A virtual clock on which ordinary, sleeping code runs: each thread of it is a greenlet, woken by simpy."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import simpy
from greenlet import getcurrent, greenlet

LOOK_S = 0.01
EPOCH_S = 1_800_000_000.0
"""What ``time()`` says when the virtual clock begins."""


class VirtualTime:
    """Stands in for the modules `time` and `threading`, and for thread pools, of code that runs on it."""

    def __init__(self) -> None:
        self._env = simpy.Environment()
        self._main = getcurrent()

    # -- time

    def monotonic(self) -> float:
        """Virtual seconds since the beginning."""
        return float(self._env.now)

    perf_counter = monotonic

    def time(self) -> float:
        """The true time."""
        return EPOCH_S + float(self._env.now)

    def now(self) -> datetime:
        """The true time, as the controller's clock gives it."""
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, seconds: float) -> None:
        """Let the others go on for so long."""
        current = getcurrent()
        self._env.timeout(max(0.0, seconds)).callbacks.append(lambda _: current.switch())
        self._main.switch()

    # -- threads

    def spawn(self, act: Callable[[], Any], *, after_s: float = 0.0) -> "Running":
        """Begin something beside whoever asks."""
        running = Running(self, act)
        thread = greenlet(running.run, parent=self._main)
        self._env.timeout(after_s).callbacks.append(lambda _: thread.switch())
        return running

    def wait(self, running: Iterable["Running"]) -> None:
        """Wait until all have ended; what one raised is raised here."""
        for one in running:
            one.join()

    def event(self) -> simpy.Event:
        """Something that happens once."""
        return self._env.event()

    def wait_for(self, event: simpy.Event, timeout_s: float | None = None) -> None:
        """Sleep until it has happened, or for so long."""
        if event.processed:
            return
        current = getcurrent()
        awaited: simpy.Event = event if timeout_s is None else event | self._env.timeout(max(0.0, timeout_s))
        awaited.callbacks.append(lambda _: current.switch())
        self._main.switch()

    def run(self) -> None:
        """Go on until nothing is left to happen."""
        self._env.run()

    # -- what the code on it takes for the standard library's

    def Thread(self, *, target: Callable[..., None], args: tuple[Any, ...] = (), **_: Any) -> "Thread":  # noqa: ANN401, N802
        """Like threading.Thread."""
        return Thread(self, lambda: target(*args))

    def Event(self) -> "Event":  # noqa: N802
        """Like threading.Event."""
        return Event(self)

    def wait_for_futures(self, futures: Iterable["Future"], timeout: float) -> None:
        """Like concurrent.futures.wait, whose result nobody reads."""
        until_s = self.monotonic() + timeout
        while not all(one.done() for one in futures) and self.monotonic() < until_s:
            self.sleep(min(LOOK_S, until_s - self.monotonic()))

    def ThreadPoolExecutor(self, max_workers: int) -> "Pool":  # noqa: N802
        """Like concurrent.futures', with a worker for everything."""
        del max_workers
        return Pool(self)


class Running:
    """Something that runs on the virtual clock."""

    def __init__(self, clock: VirtualTime, act: Callable[[], Any]) -> None:
        self.result: Any = None
        self._clock, self._act = clock, act
        self._error: BaseException | None = None
        self._ended = clock.event()

    def run(self) -> None:
        """Do it."""
        try:
            self.result = self._act()
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            self._error = error
        self._ended.succeed()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return bool(self._ended.triggered)

    def join(self) -> Any:  # noqa: ANN401 - whatever it gives
        """Wait for its end → what it gave."""
        self._clock.wait_for(self._ended)
        if self._error is not None:
            raise self._error
        return self.result


class Thread:
    """As much of threading.Thread as the host program uses."""

    def __init__(self, clock: VirtualTime, act: Callable[[], None]) -> None:
        self._clock, self._act = clock, act

    def start(self) -> None:
        """Begin."""
        self._clock.spawn(self._act)


class Event:
    """As much of threading.Event as the host program uses."""

    def __init__(self, clock: VirtualTime) -> None:
        self._clock, self._happened = clock, clock.event()

    def set(self) -> None:
        """It has happened."""
        if not self._happened.triggered:
            self._happened.succeed()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return bool(self._happened.triggered)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it, so long at most."""
        self._clock.wait_for(self._happened, timeout)
        return self.is_set()


class Pool:
    """As much of a thread pool as the steps use."""

    def __init__(self, clock: VirtualTime) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Everything has been waited for."""

    def submit(self, act: Callable[..., Any], *args: Any) -> "Future":  # noqa: ANN401 - whatever it takes
        """Begin one."""
        return Future(self._clock.spawn(partial(act, *args)))

    def shutdown(self, **_: Any) -> None:  # noqa: ANN401 - as the real one's
        """Nothing is waited for."""

    def map(self, act: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Begin all, and give their results in order."""
        begun = [self._clock.spawn(partial(act, item)) for item in items]
        return (one.join() for one in begun)


class Future:
    """As much of concurrent.futures.Future as the steps use."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def done(self) -> bool:
        """Whether there is a result."""
        return self._running.ended

    def result(self) -> Any:  # noqa: ANN401 - whatever it gives
        """Wait for it."""
        return self._running.join()
