"""What becomes of things by itself, after a while: acts that fall due, unless the state that they end is stuck."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.region.faults import ApiError

Act = Callable[[], None]
JOIN_S = 15.0
ANY = "*"
"""Stands for all resources."""


@dataclass(order=True)
class _Due:
    at: float
    order: int
    act: Act = field(compare=False)
    resource: str = field(compare=False)
    state: str = field(compare=False)


class Clockwork:
    """Runs each act in a thread of its own when it is due; what would end a stuck state waits until `unstick`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Due] = []
        self._held: list[_Due] = []
        self._stuck: set[tuple[str, str]] = set()
        self._order = itertools.count()
        self._running: set[threading.Thread] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="aerokeep-clockwork", daemon=True)
        self.failures: list[str] = []
        """Acts that went wrong, a line each."""

    def start(self) -> None:
        """Let time pass."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more and wait for what runs."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
            running = list(self._running)
        if self._thread.is_alive():
            self._thread.join(JOIN_S)
        for thread in running:
            thread.join(JOIN_S)

    def after(self, delay_s: float, act: Act, *, resource: str, state: str) -> None:
        """End `state` of `resource` by `act` in `delay_s` seconds; at once, and here, if that is none."""
        due = _Due(time.monotonic() + delay_s, next(self._order), act, resource, state)
        if delay_s <= 0 and not self.is_stuck(resource, state):
            act()
            return
        with self._changed:
            if not self._stopped:
                heapq.heappush(self._waiting, due)
                self._changed.notify_all()

    def is_stuck(self, resource: str, state: str) -> bool:
        """Somebody has said so, and not yet otherwise."""
        return not self._stuck.isdisjoint({(resource, state), (ANY, state)})

    def stick(self, resource: str, state: str) -> None:
        """Hold what would end this state of this resource, or of `ANY`."""
        with self._changed:
            self._stuck.add((resource, state))

    def unstick(self, resource: str, state: str) -> None:
        """Let go; what was held happens now."""
        with self._changed:
            self._stuck.discard((resource, state))
            freed = [due for due in self._held if not self.is_stuck(due.resource, due.state)]
            self._held = [due for due in self._held if due not in freed]
            for due in freed:
                heapq.heappush(self._waiting, due)
            self._changed.notify_all()

    def _work(self) -> None:
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                while self._waiting and self._waiting[0].at <= now:
                    self._set_off(heapq.heappop(self._waiting))
                self._changed.wait(self._waiting[0].at - now if self._waiting else None)

    def _set_off(self, due: _Due) -> None:
        if self.is_stuck(due.resource, due.state):
            self._held.append(due)
            return
        thread = threading.Thread(target=self._run, args=(due,), name=f"aerokeep-{due.state}", daemon=True)
        self._running.add(thread)
        thread.start()

    def _run(self, due: _Due) -> None:
        try:
            due.act()
        except (ApiError, OSError, RuntimeError, LookupError, ValueError) as error:
            self.failures.append(f"{due.resource} {due.state}: {type(error).__name__}: {error}")
        finally:
            with self._changed:
                self._running.discard(threading.current_thread())
