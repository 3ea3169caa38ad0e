"""The witness at work: a process that writes to a cluster and records what was acknowledged."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.database import REPOSITORY
from sandbox.dataplane.plane import DataPlane

STARTED_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0


class Writer:
    """Writes until it is stopped."""

    def __init__(self, plane: DataPlane, *, seeds: str, namespaces: Sequence[str], rate: int, ledger: Path) -> None:
        self.ledger = ledger
        self._words = ledger.with_suffix(".log")
        argv = [sys.executable, "-m", "sandbox.witness", "write", "--seeds", seeds]
        argv += ["--namespaces", ",".join(namespaces), "--rate", str(rate), "--ledger", str(ledger)]
        with self._words.open("wb") as words:
            self._process = plane.spawn_client(argv, cwd=str(REPOSITORY), stdout=words, stderr=words)

    def wait_for_load(self, seconds: float) -> None:
        """Wait until writes are being recorded, and then for ``seconds`` more of them.

        Raises:
            RuntimeError: the writer ended, or recorded nothing.

        """
        deadline = time.monotonic() + STARTED_TIMEOUT_S
        while not (self.ledger.exists() and self.ledger.stat().st_size > 0):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the witness does not write: {self._words.read_text()[-1000:]}")
            time.sleep(0.05)
        time.sleep(seconds)

    def pause(self) -> None:
        """Let it stand still where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Let it finish its ledger."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
