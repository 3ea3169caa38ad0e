"""Find the processes of a run and of a node through /proc, and end or pause them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.dataplane.plane import DataPlaneError

_POLL_S = 0.002


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo."""

    device: str
    """Device number as ``major:minor``."""
    mount_point: str
    text: str


def pids() -> Iterator[int]:
    """List the processes of the machine."""
    for name in os.listdir("/proc"):  # noqa: PTH208  # thousands of short names, many times a second
        if name.isdigit():
            yield int(name)


def marked(**variables: str) -> set[int]:
    """Find the processes whose environment at their start held all these variables."""
    wanted = [f"{name}={value}".encode() for name, value in variables.items()]
    return {pid for pid in pids() if set(wanted) <= set(environment(pid))}


def environment(pid: int) -> list[bytes]:
    """Read a process's environment at its start; empty if it is gone or another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def namespace(pid: int, kind: str) -> str | None:
    """Name a process's namespace (``mnt``, ``pid``…); ``None`` if it is gone or another user's."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")  # noqa: PTH115  # the link's text is all there is
    except OSError:
        return None


def mounts(pid: int) -> list[Mount]:
    """Read what is mounted in a process's mount namespace."""
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    except OSError:
        return []
    fields = [(line.split(), line) for line in lines]
    return [Mount(field[2], field[4].encode().decode("unicode_escape"), line) for field, line in fields]


def parent_of(pid: int) -> int:
    """Give a process's parent; 0 if it has none or is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0


def ancestors(pid: int) -> set[int]:
    """Give a process and all above it."""
    line: set[int] = set()
    while pid > 0 and pid not in line:
        line.add(pid)
        pid = parent_of(pid)
    return line


def children(pid: int) -> list[int]:
    """List a process's children."""
    return [other for other in pids() if parent_of(other) == pid]


def send(targets: Iterable[int], number: signal.Signals) -> None:
    """Send a signal; who is gone already is no error."""
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def thread_states(pid: int) -> list[str]:
    """Give the state letter of each thread; empty if the process is gone."""
    states = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                states.append((task / "stat").read_text().rpartition(") ")[2][0])
    return states


@contextlib.contextmanager
def paused(marks: dict[str, str], *, timeout_s: float) -> Iterator[None]:
    """Hold still all processes with these marks, new children too, until every thread of them is stopped.

    Raises:
        DataPlaneError: some thread did not stop in time (it waits for a disk, say); all run on.

    """
    stopped: set[int] = set()
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            found = marked(**marks)
            send(found - stopped, signal.SIGSTOP)
            fresh = found - stopped
            stopped |= found
            running = [pid for pid in stopped if set(thread_states(pid)) - set("TtZX")]
            if not fresh and not running:
                break
            if time.monotonic() > deadline:
                raise DataPlaneError(f"not_stopped: processes {running} did not stop within {timeout_s} s")
            time.sleep(_POLL_S)
        yield
    finally:
        send(stopped, signal.SIGCONT)
