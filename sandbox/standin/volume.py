"""One storage path (with its shadow, if it has one): aligned reads and writes, direct where the path allows it."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.standin.conf import VolumeConf

ALIGNMENT = 4096
_DIRECT_FLAGS = os.O_DIRECT | os.O_DSYNC


class VolumeError(Exception):
    """A storage path can't be opened or is too small; the message is what asd logs before it exits."""


@dataclass(frozen=True)
class _Opened:
    fd: int
    size_bytes: int


def _open(path: str, *, direct: bool, create_size_bytes: int | None) -> _Opened:
    """Open a device directly and a file through the page cache; only files are ever created."""
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create_size_bytes else 0)
    try:
        try:
            fd = os.open(path, flags | (_DIRECT_FLAGS if direct else 0), 0o600)
        except OSError as error:
            # tmpfs of older kernels has no direct I/O; plain files stand for devices in directory mode.
            if not direct or error.errno != errno.EINVAL:
                raise
            fd = os.open(path, flags | os.O_DSYNC, 0o600)
    except OSError as error:
        raise VolumeError(f"{path}: open failed: errno {error.errno} ({error.strerror})") from error
    if create_size_bytes and not stat.S_ISBLK(os.fstat(fd).st_mode):
        os.ftruncate(fd, create_size_bytes)
    return _Opened(fd, os.lseek(fd, 0, os.SEEK_END))


class Volume:
    """A device or file and its shadow. Not thread-safe: one thread writes, and nothing reads meanwhile."""

    def __init__(self, conf: VolumeConf, *, direct_files: bool, file_size_bytes: int, buffer_bytes: int) -> None:
        """Open both; ``buffer_bytes`` bounds one read or write."""
        create = file_size_bytes if conf.is_file else None
        direct = direct_files or not conf.is_file
        self.path = conf.path
        self.shadow_path = conf.shadow
        self._main = _open(conf.path, direct=direct, create_size_bytes=create)
        self._shadow = _open(conf.shadow, direct=direct, create_size_bytes=create) if conf.shadow else None
        if self._shadow and self._shadow.size_bytes < self._main.size_bytes:
            raise VolumeError(f"shadow device {conf.shadow} is smaller than main device {conf.path}")
        self.size_bytes = self._main.size_bytes
        self._buffer = mmap.mmap(-1, buffer_bytes)

    @property
    def authority(self) -> str:
        """Return the path that a cold start reads: the shadow, where there is one."""
        return self.shadow_path or self.path

    def read(self, offset: int, length: int) -> bytes:
        """Read what a cold start reads; ``length`` is a multiple of the alignment, within the buffer."""
        fd = (self._shadow or self._main).fd
        view = memoryview(self._buffer)[:length]
        done = 0
        while done < length:
            step = os.preadv(fd, [view[done:]], offset + done)
            if step == 0:
                break
            done += step
        return bytes(view[:done])

    def write(self, offset: int, data: bytes) -> None:
        """Write to the device, then to its shadow; ``offset`` is aligned, the end is padded with zeros.

        Blocks while the filesystem is frozen.
        """
        padded = -(-len(data) // ALIGNMENT) * ALIGNMENT
        self._buffer[: len(data)] = data
        self._buffer[len(data) : padded] = bytes(padded - len(data))
        for opened in (self._main, self._shadow):
            if opened is None:
                continue
            view = memoryview(self._buffer)[:padded]
            done = 0
            while done < padded:
                done += os.pwrite(opened.fd, view[done:], offset + done)

    def erase_header(self, length: int) -> None:
        """Zero the first ``length`` bytes (``cold-start-empty``)."""
        step = len(self._buffer)
        for offset in range(0, length, step):
            self.write(offset, bytes(min(step, length - offset)))

    def close(self) -> None:
        """Close the descriptors; may be called twice."""
        for opened in (self._main, self._shadow):
            if opened is not None:
                os.close(opened.fd)
