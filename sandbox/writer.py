"""The witness at work: a process that writes to a cluster and records what was acknowledged."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.database import REPOSITORY
from sandbox.dataplane.plane import DataPlane

STARTED_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0


class Writer:
    """Writes until it is stopped."""

    def __init__(
        self,
        plane: DataPlane,
        *,
        seeds: str,
        namespaces: Sequence[str],
        rate: int,
        ledger: Path,
        node: str | None = None,
    ) -> None:
        """Begin.

        Args:
            plane: where the cluster is.
            seeds: ``ip:port[,ip:port…]``.
            namespaces: where to write.
            rate: writes a second.
            ledger: where it records them.
            node: the instance on which it runs, with the machine's clock; by default it is outside of all nodes.

        """
        self.ledger = ledger
        self._words = ledger.with_suffix(".log")
        argv = [sys.executable, "-m", "sandbox.witness", "write", "--seeds", seeds]
        argv += ["--namespaces", ",".join(namespaces), "--rate", str(rate), "--ledger", str(ledger)]
        with self._words.open("wb") as words:
            streams: dict[str, Any] = {"cwd": str(REPOSITORY), "stdout": words, "stderr": words}
            if node is None:
                self._process = plane.spawn_client(argv, **streams)
            else:
                self._process = plane.spawn(node, ["env", "-u", "LD_PRELOAD", *argv], **streams)

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
