"""Hold a tool to so many bytes and records per second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.tools.options import Pace

_NAP_S = 0.2


class Limiter:
    """Counts what has passed, and makes its caller wait while that is ahead of the pace."""

    def __init__(self, pace: Pace, stop: threading.Event) -> None:
        """``stop`` ends every wait."""
        self._pace = pace
        self._stop = stop
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._bytes = self._records = 0

    def passed(self, size_bytes: int, records: int = 1) -> None:
        """Count, and wait."""
        if not self._pace.bytes_per_s and not self._pace.records_per_s:
            return
        with self._lock:
            self._bytes += size_bytes
            self._records += records
            due = self._began + max(
                self._bytes / self._pace.bytes_per_s if self._pace.bytes_per_s else 0.0,
                self._records / self._pace.records_per_s if self._pace.records_per_s else 0.0,
            )
        while (wait_s := due - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(min(wait_s, _NAP_S))
