"""The few shell scripts that reach a light host otherwise than by a verb, played instead of run."""

import re
from collections.abc import Sequence
from pathlib import Path

from sandbox.light.host import Host
from sandbox.region.mirror import UNMOUNT

_MASK = re.compile(r"systemctl\b[^\n]*\bmask\b[^\n]*\baerospike|/dev/null[^\n]*aerospike\.service")


class Ended:
    """What is left of a process that has ended: as much of Popen as the region asks."""

    def __init__(self, returncode: int) -> None:
        self.returncode, self.pid = returncode, 0

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002  # Popen's own
        """It has ended."""
        return self.returncode

    def poll(self) -> int:
        """The same."""
        return self.returncode

    def kill(self) -> None:
        """Too late."""


def play(host: Host, argv: Sequence[str]) -> int:
    """Unmount what the region takes away by force; mask the unit if a script of the user data does; → exit code."""
    if UNMOUNT in argv:
        volume_id = argv[-1]
        for point, volume in list(host.mounts.items()):
            if volume.volume_id.replace("-", "") == volume_id:
                del host.mounts[point]
        return 0
    for word in argv:
        path = Path(word)
        if path.is_absolute() and path.is_file() and _MASK.search(path.read_text(errors="replace")):
            host.mask()
    return 0
