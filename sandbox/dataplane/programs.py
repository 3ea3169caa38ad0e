"""Run the machine's own programs (util-linux, iproute2, xfsprogs) and say why one failed."""

import shutil
import subprocess
from collections.abc import Sequence

from sandbox.dataplane.plane import DataPlaneError

TIMEOUT_S = 30.0


def run(argv: Sequence[str], *, stdin: str | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """Run a program to its end; → its standard output.

    Raises:
        DataPlaneError: it is missing, failed or hung; the message has its words.

    """
    try:
        # Binary in and out: text mode would drag in the caller's locale.
        done = subprocess.run(
            list(argv),
            input=(stdin or "").encode(),
            capture_output=True,
            check=True,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise DataPlaneError(f"program_missing: {argv[0]} is not on PATH") from error
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).decode(errors="replace").strip()
        raise DataPlaneError(f"program_failed: {' '.join(argv)}: exit {error.returncode}: {words}") from error
    except subprocess.TimeoutExpired as error:
        raise DataPlaneError(f"program_hung: {' '.join(argv)}: no end after {timeout_s} s") from error
    return done.stdout.decode(errors="replace")


def tried(argv: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> bool:
    """Run a program that may well fail (a thaw of what is not frozen); → whether it succeeded."""
    try:
        run(argv, timeout_s=timeout_s)
    except DataPlaneError:
        return False
    return True


def missing(*names: str) -> list[str]:
    """Name the programs that are not on PATH."""
    return [name for name in names if shutil.which(name) is None]


def make_ext4(device: str) -> None:
    """Make an ext4: without a discard and without the kernel's writing of inode tables behind our back."""
    run(["mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=1", device])
