"""Remove everything that a run left behind: processes, freezes, mounts, loop devices, folders."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.processes import Mount, ancestors, environment, marked, mounts, namespace, pids, send
from sandbox.dataplane.programs import tried
from sandbox.dataplane.run_id import MARK, RunId, workdirs

TIMEOUT_S = 20.0
_POLL_S = 0.05
_ORPHAN_ROUNDS = 6
"""Loop devices are released a moment after their last user: only one that stays is an orphan."""


def find_runs() -> set[RunId]:
    """Find all runs that have something on this machine: folders, loop devices, processes or mounts."""
    texts = [path.name for path in _backing_files().values()]
    texts += [mount.text for mount in mounts(os.getpid())]
    for pid in pids():
        texts += [entry.decode(errors="replace") for entry in environment(pid) if entry.startswith(MARK.encode())]
        texts += [mount.text for mount in mounts(pid) if "aerokeep-" in mount.text]
    return set(workdirs()) | {run for text in texts if (run := RunId.find(text)) is not None}


def sweep(run: RunId) -> list[str]:
    """Remove what a run left; → what was removed, a line each. Safe to repeat.

    Raises:
        DataPlaneError: something could not be removed in time; the message names it.

    """
    removed: list[str] = []
    deadline = time.monotonic() + TIMEOUT_S
    rounds_without_process = 0
    while True:
        loops = loops_of(run)
        members = _members(run, loops)
        here = [mount for mount in mounts(os.getpid()) if is_ours(mount, run, loops)]
        if not members and not loops and not here:
            break
        if time.monotonic() > deadline:
            raise DataPlaneError(f"left_behind: {run.prefix}: processes {sorted(members)}, devices {sorted(loops)}")
        removed += _end(members, run, loops)
        removed += _unmount(here)
        rounds_without_process = 0 if members else rounds_without_process + 1
        if rounds_without_process >= _ORPHAN_ROUNDS:
            removed += _thaw_orphans(run, loops)
            rounds_without_process = 0
        time.sleep(_POLL_S)
    removed += _remove_folders(run)
    return list(dict.fromkeys(removed))


def loops_of(run: RunId) -> dict[str, Path]:
    """Find the run's loop devices by the base name of their backing files: ``major:minor`` → the device."""
    return {
        number: Path("/dev") / name
        for (number, name), path in _backing_files().items()
        if path.name.startswith(run.prefix)
    }


def _backing_files() -> dict[tuple[str, str], Path]:
    found = {}
    for block in Path("/sys/block").glob("loop*"):
        with contextlib.suppress(OSError):
            text = (block / "loop/backing_file").read_text().strip().removesuffix(" (deleted)")
            found[(block / "dev").read_text().strip(), block.name] = Path(text)
    return found


def is_ours(mount: Mount, run: RunId, loops: Iterable[str]) -> bool:
    """Tell whether a mount belongs to the run: by its device, or by the run's name in it."""
    return mount.device in loops or run.prefix in mount.text


def _members(run: RunId, loops: Iterable[str]) -> set[int]:
    """Find the run's processes: by their mark, or because they live in a mount namespace of the run."""
    ours = namespace(os.getpid(), "mnt")
    found = marked(**{MARK: run.prefix})
    for pid in pids():
        # A process in D state whose end is under way has no environment any more, but still its mounts.
        if namespace(pid, "mnt") not in (ours, None) and any(is_ours(mount, run, loops) for mount in mounts(pid)):
            found.add(pid)
    return found - ancestors(os.getpid())


def _end(members: set[int], run: RunId, loops: Iterable[str]) -> list[str]:
    removed = [f"process {pid}" for pid in sorted(members)]
    send(members, signal.SIGKILL)
    for pid in _one_per_namespace(members):
        removed += [f"freeze of {name}" for name in thaw(pid, [m for m in mounts(pid) if is_ours(m, run, loops)])]
    return removed


def _one_per_namespace(members: Iterable[int]) -> Iterator[int]:
    seen: set[str | None] = {namespace(os.getpid(), "mnt")}
    for pid in members:
        if (name := namespace(pid, "mnt")) not in seen:
            seen.add(name)
            yield pid


def thaw(pid: int, found: Iterable[Mount]) -> list[str]:
    """Thaw what is frozen among the mounts on loop devices in a process's mount namespace; → those mount points."""
    points = [mount.mount_point for mount in found if mount.device.startswith("7:")]
    enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--"]
    return [point for point in points if tried([*enter, "fsfreeze", "-u", point])]


def _unmount(here: list[Mount]) -> list[str]:
    """Thaw and unmount what is mounted in the machine's own mount namespace, the innermost first."""
    removed = []
    for mount in reversed(here):
        if mount.device.startswith("7:"):
            tried(["fsfreeze", "-u", mount.mount_point])
        if tried(["umount", mount.mount_point]):
            removed.append(f"mount {mount.mount_point}")
    return removed


def _thaw_orphans(run: RunId, loops: dict[str, Path]) -> list[str]:
    """Thaw filesystems that nobody has mounted any more: a freeze alone keeps them and their devices alive."""
    removed = []
    point = Path(tempfile.mkdtemp(prefix=f"{run.prefix}-thaw-"))
    try:
        for number, device in loops.items():
            if any(mount.device == number for mount in mounts(os.getpid())):
                continue
            if not tried(["mount", str(device), str(point)]):
                continue  # a raw volume, or the pool itself, which goes with the last of its volumes
            if tried(["fsfreeze", "-u", str(point)]):
                removed.append(f"orphaned freeze on {device}")
            tried(["umount", str(point)])
    finally:
        with contextlib.suppress(OSError):
            point.rmdir()
    return removed


def _remove_folders(run: RunId) -> list[str]:
    removed = []
    for folder in workdirs().get(run, []):
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
        removed.append(f"folder {folder}")
    return removed
