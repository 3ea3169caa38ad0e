"""Acts that may hang on a slow disk, run beside the resident's loop so that they can't hold it up."""

import ctypes
import os
import threading
from typing import Callable, Optional

STACK_BYTES = 512 * 1024
"""Small, since the resident locks its memory."""


class Task(threading.Thread):
    """One call in a thread of its own; look at ``done`` and ``error``."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.error: Optional[str] = None
        self._act = act
        self.start()

    @property
    def done(self) -> bool:
        """Whether the call has returned."""
        return not self.is_alive()

    def run(self) -> None:
        """Make the call; what it raises becomes ``error``."""
        try:
            self._act()
        except (OSError, ValueError) as error:
            self.error = str(error)


def sync_filesystem(path: str) -> None:
    """Write back the filesystem that holds ``path``, as ``sync -f`` does (which coreutils before 8.24 can't)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
    finally:
        os.close(descriptor)


def lock_memory() -> bool:
    """Keep the resident in memory while filesystems stand still (best effort); whether the kernel agreed."""
    threading.stack_size(STACK_BYTES)
    if os.geteuid() != 0:
        return False  # within an ordinary user's limit, later allocations would fail
    current_and_future = 1 | 2
    return bool(ctypes.CDLL(None, use_errno=True).mlockall(current_and_future) == 0)


def refuse_oom_kill() -> None:
    """Ask the kernel to choose somebody else when memory runs out (best effort: needs root)."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-1000")
    except OSError:
        return
