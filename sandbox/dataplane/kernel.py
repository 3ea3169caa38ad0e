"""The few kernel calls that Python does not wrap: loop devices, reflinks, entering a PID namespace."""

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
LOOP_CLR_FD = 0x4C01
LO_FLAGS_AUTOCLEAR = 4
LO_FLAGS_DIRECT_IO = 16
LOOP_MAJOR = 7
FICLONE = 0x40049409
FICLONERANGE = 0x4020940D
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_LOOP_CONFIG = struct.Struct("=II QQQQQ IIII 64s 64s 32s QQ 64x")  # struct loop_config of linux/loop.h
_CLONE_RANGE = struct.Struct("=qQQQ")
_LOOP_TRIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


class LoopDevice:
    """A loop device over part of a file, gone when its last user closes it (also when we are killed)."""

    def __init__(self, backing: Path, *, offset: int = 0, size_bytes: int = 0, nodes: Path) -> None:
        """Set the device up, with direct I/O and cleared by itself, in one call of the kernel.

        Args:
            backing: the file; its base name is how leftovers are found.
            offset: where in the file the device begins, in bytes.
            size_bytes: its length; 0 is the rest of the file.
            nodes: a folder for the device node where the machine's /dev does not grow by itself.

        """
        fd = os.open(backing, os.O_RDWR | os.O_CLOEXEC)
        try:
            self.path, self._fd = _configure(fd, offset=offset, size_bytes=size_bytes, nodes=nodes)
        finally:
            os.close(fd)
        self.rdev = os.fstat(self._fd).st_rdev

    def close(self) -> None:
        """Let the device go; the kernel clears it once nobody has it open."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _configure(backing_fd: int, *, offset: int, size_bytes: int, nodes: Path) -> tuple[str, int]:
    flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO
    empty = b""
    config = _LOOP_CONFIG.pack(
        backing_fd, 0, 0, 0, 0, offset, size_bytes, 0, 0, 0, flags, b"aerokeep", empty, empty, 0, 0
    )
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_LOOP_TRIES):
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            path = _loop_node(number, nodes)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:  # EBUSY: somebody else took this number first
                    raise
            else:
                return path, fd
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no free loop device after many tries")


def _loop_node(number: int, nodes: Path) -> str:
    path = Path(f"/dev/loop{number}")
    if not path.exists():
        path = nodes / f"loop{number}"
        with contextlib.suppress(FileExistsError):
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(LOOP_MAJOR, number))
    return str(path)


def clone_file(source: Path, target: Path) -> None:
    """Make ``target`` a reflink of the whole of ``source``: one instant, whatever writes to it."""
    with source.open("rb") as from_file, target.open("xb") as to_file:
        fcntl.ioctl(to_file.fileno(), FICLONE, from_file.fileno())


def clone_range(source: Path, target: Path, *, source_offset: int, target_offset: int, length: int) -> None:
    """Reflink a range into an existing file, which grows to hold it."""
    with source.open("rb") as from_file, target.open("r+b") as to_file:
        size = os.fstat(to_file.fileno()).st_size
        if size < target_offset + length:
            to_file.truncate(target_offset + length)
        request = _CLONE_RANGE.pack(from_file.fileno(), source_offset, length, target_offset)
        fcntl.ioctl(to_file.fileno(), FICLONERANGE, request)


@contextlib.contextmanager
def children_in_pid_namespace(pid: int) -> Iterator[None]:
    """Let the children that this thread makes meanwhile live in the PID namespace of ``pid``.

    Unlike ``nsenter --pid`` this needs no process in between: a child's pid and signals are its own.
    """
    with _switched(Path(f"/proc/{pid}/ns/pid"), Path("/proc/thread-self/ns/pid"), CLONE_NEWPID):
        yield


@contextlib.contextmanager
def network_namespace(pid: int) -> Iterator[None]:
    """Let this thread make its sockets in the network namespace of ``pid`` meanwhile."""
    with _switched(Path(f"/proc/{pid}/ns/net"), Path("/proc/thread-self/ns/net"), CLONE_NEWNET):
        yield


@contextlib.contextmanager
def _switched(there: Path, here: Path, kind: int) -> Iterator[None]:
    with there.open("rb") as target, here.open("rb") as home:
        _setns(target.fileno(), kind)
        try:
            yield
        finally:
            _setns(home.fileno(), kind)


def _setns(fd: int, kind: int) -> None:
    if _libc.setns(fd, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
