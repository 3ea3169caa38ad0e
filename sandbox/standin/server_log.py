"""The server's log, written by a thread of its own: a frozen filesystem below it must not stop the server."""

from __future__ import annotations

import queue
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ServerLog:
    """Writes lines the way asd does, to every sink of the conf."""

    def __init__(self, files: Sequence[Path], *, console: bool) -> None:
        """Open the sinks by their first line."""
        self._files = tuple(files)
        self._console = console
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def note(self, context: str, text: str) -> None:
        """Log a line; never blocks."""
        self._log("INFO", context, text)

    def caution(self, context: str, text: str) -> None:
        """Log a warning; never blocks."""
        self._log("WARNING", context, text)

    def crash(self, context: str, text: str) -> None:
        """Log why the server can't go on; never blocks."""
        self._log("CRITICAL", context, text)

    def _log(self, level: str, context: str, text: str) -> None:
        stamp = time.strftime("%b %d %Y %H:%M:%S", time.gmtime())
        self._lines.put(f"{stamp} GMT: {level} ({context}): {text}\n")

    def close(self) -> None:
        """Write what waits; blocks while the filesystem is frozen."""
        self._lines.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._console:
                sys.stderr.write(line)
                sys.stderr.flush()
            for path in self._files:
                try:
                    with path.open("a") as sink:
                        sink.write(line)
                except OSError as error:
                    sys.stderr.write(f"cannot log to {path}: {error}\n")
