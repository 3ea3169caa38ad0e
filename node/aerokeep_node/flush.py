"""The proof that everything acknowledged is on its way to the disk: quiet queues and counters for long enough."""

from typing import Dict

from aerokeep_node.namespaces import Activity

SHORT_FLUSH_MAX_MS = 50
"""flush-max-ms for the window: partial blocks are flushed so often, instead of once a second."""
FEWEST_SAMPLES = 3
MARGIN_S = 0.1
LONGEST_SLEEP_S = 1.0
"""asd's maintenance thread sleeps up to this long before it notices a new flush-max-ms (drv_ssd.c, MAX_INTERVAL)."""


def short_flush(flush_max_ms: int) -> int:
    """Choose the window's flush-max-ms; 0 means never, which could not be proven."""
    return min(flush_max_ms, SHORT_FLUSH_MAX_MS) if flush_max_ms > 0 else SHORT_FLUSH_MAX_MS


class FlushProof:
    """Judge samples of one namespace. A partial block is flushed at the latest on the second look after its last write.

    Queue length 0 alone proves nothing: a block is taken from the queue before it is written.

    Args:
        flush_max_ms: the one in effect.
        not_before_s: when the server's flush rhythm is known to follow it, on the clock of ``look``.

    """

    def __init__(self, flush_max_ms: int, not_before_s: float) -> None:
        self._span_s = 2 * flush_max_ms / 1000 + MARGIN_S
        self._quiet_from_s = not_before_s
        self._samples = 0
        self._last: Dict[str, int] = {}
        self.proven = False

    def look(self, now_s: float, activity: Activity, in_progress: int) -> bool:
        """Take in one sample; True once the proof stands."""
        quiet = activity.queued == 0 and in_progress == 0
        if not quiet or activity.counters != self._last:
            self._samples = 0
            self._quiet_from_s = max(self._quiet_from_s, now_s)
        self._samples += 1 if quiet else 0
        self._last = activity.counters
        long_enough = now_s - self._quiet_from_s >= self._span_s
        self.proven = quiet and self._samples >= FEWEST_SAMPLES and long_enough
        return self.proven
