"""Threads that a signal can end: the main thread only waits, so that it hears."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTEN_S = 0.05


def side_by_side(work: Callable[[], None], count: int) -> None:
    """Run ``work`` so many times at once, to the end."""
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_LISTEN_S)


def on_interrupt(act: Callable[[], None]) -> None:
    """Act on SIGINT and SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())


class EverySecond:
    """Calls ``tick`` every second, and a last time at the end."""

    def __init__(self, tick: Callable[[bool], None]) -> None:
        """``tick`` is told whether it is the last time."""
        self._tick = tick
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        over = False
        while not over:
            over = self._over.wait(1.0)
            self._tick(over)
