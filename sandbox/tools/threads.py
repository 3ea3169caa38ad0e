"""Threads that a signal can end: the main thread only waits, so that it hears."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTEN_S = 0.05
_GRACE_S = 2.0


def side_by_side(work: Callable[[], None], count: int, stop: threading.Event) -> bool:
    """Run ``work`` so many times at once; → whether all came to their end.

    Once ``stop`` is set, those that hang in a pipe which nobody reads or fills are waited for no longer.
    """
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    stopped_at: float | None = None
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(_LISTEN_S / count)
        if stop.is_set():
            stopped_at = stopped_at or time.monotonic()
            if time.monotonic() - stopped_at > _GRACE_S:
                return False
    return True


def leave(code: int) -> NoReturn:
    """End the process, also if a thread still hangs in a pipe."""
    sys.stderr.flush()
    os._exit(code)


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
