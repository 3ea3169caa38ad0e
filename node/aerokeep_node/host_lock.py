"""A lock that one run holds on this host, and whose name anybody can read; the kernel frees it whatever dies."""

import fcntl
import os
from typing import Optional

from aerokeep_node.refusal import HeldError
from aerokeep_node.tree import Tree

HOME = "run/aerokeep"
_LONGEST_RUN = 200


class HostLock:
    """``code`` and ``what`` are what a second holder is refused with."""

    def __init__(self, name: str, *, code: str, what: str) -> None:
        self._name = name
        self._code = code
        self._what = what

    def take(self, tree: Tree, run: str) -> int:
        """Take it; closing the descriptor gives it back.

        Raises:
            HeldError: another run holds it.

        """
        os.makedirs(tree.path(HOME), mode=0o700, exist_ok=True)
        descriptor = os.open(tree.path(HOME, self._name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder_in(descriptor)
            os.close(descriptor)
            raise HeldError(self._code, "{} of run {} lives on this host".format(self._what, holder or "?")) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, run.encode("ascii"), 0)
        return descriptor

    def holder(self, tree: Tree) -> Optional[str]:
        """Say which run holds it, if any does."""
        try:
            descriptor = os.open(tree.path(HOME, self._name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            # Shared, so that two askers don't see each other; given back at once by closing.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _holder_in(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)


def _holder_in(descriptor: int) -> str:
    return os.pread(descriptor, _LONGEST_RUN, 0).decode("ascii", "replace")
