"""The lease's pulse: its deadlines on a clock that nobody can set, and every reason to end before them."""

import signal
import time
from types import FrameType
from typing import Optional

from aerokeep_node.clock import ClockReading, monotonic_s
from aerokeep_node.let_go import LetGo
from aerokeep_node.run_directory import REQUEST, RESUME, TOMBSTONE, RunDirectory

TICK_S = 0.02
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STEP_OF_CLOCK_S = 0.02


class WriteStopEndError(Exception):
    """The window is over: ``reason`` is resume, lease or failure."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


class Pulse:
    """Everything that waits in the window waits here, so that nothing outlives token and deadline."""

    def __init__(self, run: RunDirectory, token: str, let_go: LetGo) -> None:
        self.start_s = 0.0
        self.end_s = 0.0
        self._let_go = let_go
        self._run = run
        self._token = token
        self._signal: Optional[int] = None
        self._wall_minus_monotonic = 0.0

    def heed_signals(self) -> None:
        """End the window, instead of the process, when told to terminate."""
        for number in END_SIGNALS:
            signal.signal(number, self._on_signal)

    def set_deadlines(self, start_at: float, end_at: float, clock: ClockReading) -> None:
        """Convert T0 and T1, which are true time: from here on no step of the wall clock can lengthen the lease."""
        self._wall_minus_monotonic = time.time() - monotonic_s()
        true_minus_monotonic = self._wall_minus_monotonic - clock.offset_s
        self.start_s = start_at - true_minus_monotonic
        self.end_s = end_at - true_minus_monotonic

    def wall_clock_step_s(self) -> Optional[float]:
        """By how much the wall clock was set since arming; None where it only ran."""
        stepped_s = time.time() - monotonic_s() - self._wall_minus_monotonic
        return stepped_s if abs(stepped_s) > STEP_OF_CLOCK_S else None

    def called_off(self) -> bool:
        """Whether resume-writes has spoken, or the word to let go was found."""
        return self._let_go.heard or self._run.has(RESUME) or self._run.has(TOMBSTONE)

    def tick(self, longest_s: float = TICK_S) -> None:
        """Rest a moment.

        Raises:
            WriteStopEndError: the window is over.

        """
        if self._signal is not None:
            raise WriteStopEndError("failure", f"ended by signal {self._signal}")
        if self.called_off():
            raise WriteStopEndError("resume")
        if monotonic_s() >= self.end_s:
            raise WriteStopEndError("lease")
        request = self._run.read(REQUEST)
        if request is None or request.get("token") != self._token:
            raise WriteStopEndError("failure", "the run directory does not carry this token any more")
        time.sleep(max(0.0, min(longest_s, self.end_s - monotonic_s())))

    def wait_until(self, instant_s: float) -> None:
        """Wait for an instant of the monotonic clock."""
        while monotonic_s() < instant_s:
            self.tick(min(TICK_S, max(0.0, instant_s - monotonic_s())))

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        del frame
        self._signal = number
