"""Find what a sandbox run left on this machine: the one checker for all tests of leftovers."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sandbox.dataplane.processes import environment, mounts, pids
from sandbox.dataplane.run_id import MARK

REPOSITORY = Path(__file__).parents[3]
TEST_MARK = "AEROKEEP_LEFTOVERS"
"""Environment variable that a test gives to a run, so that processes are found which lost the sandbox's own mark."""


def traces(*, pid: int, temporary: Path) -> list[str]:
    """Everything that is still there of the run of process ``pid``, whose temporary folder was ``temporary``."""
    name = f"aerokeep-{pid}."
    where = str(temporary)
    return [
        *(f"folder {path}" for path in sorted(temporary.iterdir())),
        *_processes(name, where),
        *_loops(name, where),
        *_named_namespaces(),
    ]


def processes_of(pid: int) -> list[int]:
    """The processes that the sandbox of process ``pid`` marked as its own."""
    mark = f"{MARK}=aerokeep-{pid}.".encode()
    return [other for other in pids() if any(entry.startswith(mark) for entry in environment(other))]


def _processes(name: str, where: str) -> Iterator[str]:
    """Processes of the run, and whatever mount of it any process still has (namespaces live by their processes)."""
    for pid in pids():
        if pid == os.getpid():
            continue
        told = [entry.decode(errors="replace") for entry in environment(pid)]
        ours = any(entry.startswith(f"{MARK}={name}") or entry == f"{TEST_MARK}={where}" for entry in told)
        if ours or _folder_of(pid).startswith(where):
            yield f"process {pid}: {_words_of(pid)}"
        for mount in mounts(pid):
            if name in mount.text or where in mount.text:
                yield f"mount {mount.mount_point} of process {pid}"


def _folder_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115  # the link's text is all there is
    except OSError:
        return ""


def _words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "gone meanwhile"


def _loops(name: str, where: str) -> Iterator[str]:
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = path.read_text().strip()
        except OSError:
            continue  # let go meanwhile
        if name in backing or where in backing:
            yield f"loop device {path.parts[3]} on {backing}"


def _named_namespaces() -> Iterator[str]:
    """Network namespaces by name (the sandbox makes none), and bridges or links of ours in the machine's own."""
    for path in Path("/run/netns").glob("*aerokeep*"):
        yield f"network namespace {path.name}"
    for path in Path("/sys/class/net").glob("aerokeep*"):
        yield f"network interface {path.name}"


def clean(temporary: Path) -> str:
    """Run what ``make clean-sandbox`` runs, for runs with this temporary folder too → what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.clean"],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()
