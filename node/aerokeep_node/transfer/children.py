"""Programs that a worker runs: none outlives it, whatever it dies of, and none takes its death for an end of input."""

import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

from aerokeep_node.transfer.tool_output import LastWords
from aerokeep_node.transfer.vault import tool_environment

SHELL = "/bin/sh"
POLL_S = 0.02
ABORT_S = 1.0
"""So long an upload that is interrupted may take to take back what it has sent.

Version 1 of the CLI notices only at the end of its input, which it must not get: between two of its threads, the end
could win. What it then leaves is no object, but parts of one, which the vault's lifecycle rule collects.
"""
TERMINATE_S = 1.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; must be called by the child."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _be_a_child() -> None:
    # A job started in the background by a shell ignores interrupts, and its children would inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


@dataclass(frozen=True)
class Program:
    """What to run, between which descriptors; ``name`` is what its failure is told by."""

    name: str
    command: Sequence[str]
    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.DEVNULL
    environment: Optional[Dict[str, str]] = None


class Child:
    """One running program, with a pipe for its stderr."""

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self.words = LastWords()
        self.process = subprocess.Popen(
            list(program.command),
            stdin=program.stdin,
            stdout=program.stdout,
            stderr=subprocess.PIPE,
            env=program.environment or tool_environment(),
            preexec_fn=_be_a_child,  # noqa: PLW1509 - a worker has one thread
        )

    @property
    def stderr(self) -> int:
        """The descriptor that its stderr is read from."""
        assert self.process.stderr is not None  # noqa: S101 - it was asked for
        return self.process.stderr.fileno()

    @property
    def code(self) -> Optional[int]:
        """Its exit code, negative if a signal ended it; None while it runs."""
        return self.process.poll()

    def tell(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.code is None:
            self.process.send_signal(number)

    def close(self) -> None:
        """Close what its stderr was read from."""
        if self.process.stderr is not None:
            self.process.stderr.close()

    def describe_end(self) -> str:
        """Say how it ended, and what it said last."""
        code = self.code
        how = "still runs" if code is None else f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        return f"{self.name} {how}" + (f": {self.words}" if self.words.lines else "")


class Leash:
    """Keeps the inputs of other programs open, and kills the worker's whole group once the worker is gone.

    A worker's death closes its pipes an instant before its children are killed, and a program that writes to S3 or to
    the server would take that for the end of its input. This process has the same pipes open. It signals all of the
    group in one system call, itself included, so none of them gets to see the end.
    """

    def __init__(self, held: Sequence[int]) -> None:
        group = os.getpgrp()
        if group != os.getpid():
            raise AssertionError("only the leader of a group may be leashed")
        watched, self._holding = os.pipe()
        self._process = subprocess.Popen(
            [SHELL, "-c", f"read -r _; kill -9 -{group}"],
            stdin=watched,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=list(held),
        )
        os.close(watched)

    def release(self) -> None:
        """Let go: what it held open is now held by the worker alone."""
        self._process.kill()
        self._process.wait()
        os.close(self._holding)


def end_children(uploads: List[Child], others: List[Child], turn: Callable[[float], None]) -> None:
    """End everything: uploads first and by interrupt, so that they take back what they have sent."""
    for child in uploads:
        child.tell(signal.SIGINT)
    _wait(uploads, ABORT_S, turn)
    for child in [*uploads, *others]:
        child.tell(signal.SIGTERM)
    _wait([*uploads, *others], TERMINATE_S, turn)
    for child in [*uploads, *others]:
        child.tell(signal.SIGKILL)
    for child in [*uploads, *others]:
        child.process.wait()


def _wait(children: List[Child], longest_s: float, turn: Callable[[float], None]) -> None:
    until_s = time.monotonic() + longest_s
    while any(child.code is None for child in children) and time.monotonic() < until_s:
        turn(POLL_S)
