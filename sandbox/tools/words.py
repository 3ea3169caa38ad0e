"""What both tools say: lines on stderr, and the machine-readable file."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import argparse

VERSION = "4.5.8"
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_LONGEST_S = 100 * 86400
_lock = threading.Lock()


class FailedError(Exception):
    """The tool ends with 1; the message says why."""


def say(kind: str, text: str) -> None:
    """Write a log line as the real tools do; ``kind`` is INF or ERR."""
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} GMT [{kind}] [{os.getpid() % 100000:5d}] {text}\n"
    with _lock:
        sys.stderr.write(line)
        sys.stderr.flush()


def inf(text: str) -> None:
    """Say how it goes."""
    say("INF", text)


def err(text: str) -> None:
    """Say what went wrong."""
    say("ERR", text)


def refuse(parser: argparse.ArgumentParser, text: str) -> NoReturn:
    """End with 1 over an option."""
    err(f"{parser.prog}: {text}")
    raise SystemExit(1)


def eta(seconds: int) -> str:
    """Format a remaining time, such as ``1m5s``."""
    if seconds > _LONGEST_S:
        return ">100d"
    parts: list[str] = []
    seconds = max(seconds, 0)
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts or size == 1:
            parts.append(f"{count}{unit}")
    return "".join(parts)


class MachineFile:
    """The file of ``--machine``: a line per event, at once."""

    def __init__(self, path: str | None) -> None:
        """Open it for appending (it may be a FIFO).

        Raises:
            FailedError: it can't be opened.

        """
        try:
            self._file: IO[str] | None = open(path, "a") if path else None  # noqa: SIM115, PTH123 - closed at the end
        except OSError as error:
            raise FailedError(f"Error while opening machine-readable file {path}: {error.strerror}") from error

    def put(self, line: str) -> None:
        """Write a line."""
        if self._file is not None:
            self._file.write(f"{line}\n")
            self._file.flush()
