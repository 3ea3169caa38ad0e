"""A service's main process: what is run, and what became of it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CLEAN_SIGNALS = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE})


@dataclass(frozen=True)
class Process:
    """A service's main process; ``status`` and ``signal`` are known once it has ended."""

    pid: int
    ticks: int
    argv: tuple[str, ...]
    started_at: float
    result: str = ""
    status: int = 0
    signal: int = 0

    @property
    def ended(self) -> bool:
        """Whether its watcher has seen it end."""
        return self.result != ""


@dataclass(frozen=True)
class State:
    """What `systemctl` says of a service."""

    active: str
    sub: str
    process: Process | None

    @property
    def main_pid(self) -> int:
        """The main process; 0 if there is none."""
        return self.process.pid if self.process and self.active in ("active", "deactivating") else 0


def program_of(argv: list[str]) -> tuple[list[str], str | None, dict[str, str]]:
    """Find what to run: argv, the program behind it, and variables that it needs.

    A real ``asd`` where there is one; else the stand-in, under the same name in ``argv[0]``, by which the host program
    finds either.
    """
    program, *rest = argv
    if os.access(program, os.X_OK) or Path(program).name != "asd":
        return argv, None, {}
    if real := shutil.which("asd"):
        return [real, *rest], None, {}
    # Python looks for its library beside argv[0], which says nothing here.
    needed = {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    return ["asd", "-m", "sandbox.standin", *rest], sys.executable, needed


def ended(process: Process, code: int, *, timed_out: bool) -> Process:
    """Say how a process ended."""
    number = max(0, -code)
    clean = code == 0 or number in CLEAN_SIGNALS
    result = "success" if clean else "timeout" if timed_out else "signal" if number else "exit-code"
    return Process(**{**asdict(process), "result": result, "status": max(0, code), "signal": number})


def ticks_of(pid: int) -> int:
    """When a process started; 0 if it is no more."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
    except (OSError, IndexError):
        return 0
