"""Put files in place of others, each whole and durable, looking like what was there before."""

import os
import stat
from typing import Optional

DRAFT = ".aerokeep-draft"


def place(path: str, content: bytes, *, like: str) -> None:
    """Write a file with owner and mode of another one, if that is there; readers see all of it or the former one."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if read_whole(path) == content:
        return
    looks = _looks(like)
    draft = path + DRAFT
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if looks is None:
        os.chmod(draft, 0o644)
    else:
        take_looks(draft, looks)
    os.rename(draft, path)
    sync_directory(os.path.dirname(path))


def remove(path: str) -> bool:
    """Take a file away, and the draft of one that never came to be; whether it was there."""
    found = []
    for name in (path, path + DRAFT):
        try:
            os.unlink(name)
        except FileNotFoundError:
            continue
        found.append(name)
        sync_directory(os.path.dirname(path))
    return path in found


def read_whole(path: str) -> Optional[bytes]:
    """Read a file; None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def take_looks(path: str, looks: os.stat_result) -> None:
    """Give a file or directory the owner and mode of another one; the owner only where that is allowed."""
    if os.geteuid() == 0:
        os.chown(path, looks.st_uid, looks.st_gid)
    os.chmod(path, stat.S_IMODE(looks.st_mode))


def _looks(path: str) -> Optional[os.stat_result]:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def sync_directory(path: str) -> None:
    """Make renames and removals in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
