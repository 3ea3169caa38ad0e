"""Names of a sandbox run that tell who owns it: leftovers can be found, and a live run is never touched."""

import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MARK = "AEROKEEP_SANDBOX"
"""Environment variable of every process of a run; its value is the run's id."""

NODE_MARK = "AEROKEEP_INSTANCE"
"""Environment variable of every process on a node; its value is the instance id."""

_PATTERN = re.compile(r"aerokeep-([0-9]+)\.([0-9]+)\.([0-9a-f]+)")


@dataclass(frozen=True, order=True)
class RunId:
    """A run by its owner: process id and start time (clock ticks since boot), so that a reused pid is no owner."""

    pid: int
    started_ticks: int
    serial: str

    @property
    def prefix(self) -> str:
        """What the names of all files, mounts and devices of the run begin with."""
        return f"aerokeep-{self.pid}.{self.started_ticks}.{self.serial}"

    @property
    def owner_lives(self) -> bool:
        """Whether the process that made the run is still there."""
        return start_ticks(self.pid) == self.started_ticks

    @classmethod
    def new(cls) -> "RunId":
        """Name a run of this process."""
        ticks = start_ticks(os.getpid())
        assert ticks is not None  # noqa: S101  # this very process is running
        return cls(os.getpid(), ticks, f"{time.time_ns() & 0xFFFFFFFF:08x}")

    @classmethod
    def find(cls, text: str) -> "RunId | None":
        """Find the run that a path or variable names."""
        match = _PATTERN.search(text)
        return cls(int(match[1]), int(match[2]), match[3]) if match else None


def start_ticks(pid: int) -> int | None:
    """Tell when a process started; ``None`` if it is no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = stat.rpartition(") ")[2].split()
    return None if state in "ZX" else int(rest[18])


def make_workdir(run: RunId, parent: Path | None) -> Path:
    """Make the run's folder, in the temporary folder or, with a link there to find it by, elsewhere."""
    temporary = Path(tempfile.gettempdir())
    folder = (parent or temporary).resolve() / run.prefix
    folder.mkdir(mode=0o700)
    if folder.parent != temporary.resolve():
        (temporary / run.prefix).symlink_to(folder)
    return folder


def workdirs() -> dict[RunId, list[Path]]:
    """Find the folders (and links to folders) of runs in the temporary folder."""
    found: dict[RunId, list[Path]] = {}
    for path in Path(tempfile.gettempdir()).glob("aerokeep-*"):
        run = RunId.find(path.name)
        if run is not None and path.name == run.prefix:
            found.setdefault(run, []).extend([path, path.resolve()] if path.is_symlink() else [path])
    return found
