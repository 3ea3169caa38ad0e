"""Everything that flows between the programs of one worker: bytes that are counted, and lines that are heeded."""

import contextlib
import fcntl
import hashlib
import os
import selectors
import signal
import time
from types import FrameType
from typing import Callable, Dict, List, Optional

CHUNK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 64 * 1024
_F_SETPIPE_SZ = 1031


class WorkerEndError(Exception):
    """The worker was told to end."""


class Pump:
    """Carries bytes from one pipe into another and knows their size and sha256; never closes the other one.

    ``ended``: all that came was passed on. ``broken``: nobody reads any more.
    """

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target
        self.size = 0
        self.ended = False
        self.broken = False
        self.pending = b""
        self._sha256 = hashlib.sha256()
        for descriptor in (source, target):
            os.set_blocking(descriptor, False)
            with contextlib.suppress(OSError):  # only for speed
                fcntl.fcntl(descriptor, _F_SETPIPE_SZ, CHUNK_BYTES)

    @property
    def over(self) -> bool:
        """Whether nothing more will flow."""
        return self.ended or self.broken

    @property
    def sha256(self) -> str:
        """The hash of what has been passed on."""
        return self._sha256.hexdigest()

    def take(self) -> None:
        """Read what has come."""
        try:
            chunk = os.read(self.source, CHUNK_BYTES)
        except BlockingIOError:
            return
        self.ended = not chunk
        self.size += len(chunk)
        self._sha256.update(chunk)
        self.pending = chunk

    def give(self) -> None:
        """Write what is pending."""
        try:
            written = os.write(self.target, self.pending)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.broken = True
            return
        self.pending = self.pending[written:]


class Plumbing:
    """One thread that turns all of it; it ends with WorkerEndError once the worker is told to terminate."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._pumps: List[Pump] = []
        self._lines: Dict[int, bytes] = {}
        self._told = False

    def heed_signals(self) -> None:
        """End by exception, instead of at once, when told to terminate."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        del number, frame
        self._told = True

    def heed(self, descriptor: int, heed: Callable[[str], None]) -> None:
        """Call ``heed`` with every line that comes."""
        os.set_blocking(descriptor, False)
        self._lines[descriptor] = b""
        self._selector.register(descriptor, selectors.EVENT_READ, heed)

    def forget(self, descriptor: int) -> None:
        """Read once more what has come, and then no more."""
        while descriptor in self._lines and self._read_lines(descriptor):
            pass
        if descriptor in self._lines:
            self._drop(descriptor)

    def carry(self, pump: Pump) -> None:
        """Let a pump run until it is over."""
        self._pumps.append(pump)
        self._selector.register(pump.source, selectors.EVENT_READ, pump)

    def stop(self, pump: Pump) -> None:
        """Let a pump run no more."""
        if pump in self._pumps:
            self._pumps.remove(pump)
            self._selector.unregister(pump.target if pump.pending else pump.source)

    def turn(self, longest_s: float = 0.2) -> None:
        """Let everything flow for a moment.

        Raises:
            WorkerEndError: the worker was told to end.

        """
        if self._told:
            raise WorkerEndError
        self.drain(longest_s)

    def drain(self, longest_s: float) -> None:
        """Let everything flow for a moment, also after the worker was told to end."""
        if not self._selector.get_map():
            time.sleep(longest_s)
            return
        for key, _ in self._selector.select(longest_s):
            if isinstance(key.data, Pump):
                self._move(key.data)
            else:
                self._read_lines(key.fd)

    def _move(self, pump: Pump) -> None:
        waited_to_give = bool(pump.pending)
        if waited_to_give:
            pump.give()
        else:
            pump.take()
        if pump.over:
            self._pumps.remove(pump)
            self._selector.unregister(pump.target if waited_to_give else pump.source)
        elif bool(pump.pending) != waited_to_give:
            self._selector.unregister(pump.target if waited_to_give else pump.source)
            follow, event = (
                (pump.source, selectors.EVENT_READ) if waited_to_give else (pump.target, selectors.EVENT_WRITE)
            )
            self._selector.register(follow, event, pump)

    def _read_lines(self, descriptor: int) -> bool:
        try:
            chunk = os.read(descriptor, CHUNK_BYTES)
        except BlockingIOError:
            return False
        heed = self._selector.get_key(descriptor).data
        *lines, rest = (self._lines[descriptor] + chunk).split(b"\n")
        self._lines[descriptor] = rest[-LONGEST_LINE_BYTES:]
        for line in lines:
            heed(line.decode("utf-8", "replace"))
        if not chunk:
            self._drop(descriptor)
        return bool(chunk)

    def _drop(self, descriptor: int) -> None:
        heed = self._selector.get_key(descriptor).data
        self._selector.unregister(descriptor)
        rest = self._lines.pop(descriptor)
        if rest:
            heed(rest.decode("utf-8", "replace"))
