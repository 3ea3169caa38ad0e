"""Copy files and trees, by reflink where the filesystem can and with holes kept where it cannot."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

from sandbox.dataplane.kernel import FICLONE

_NO_REFLINK = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL)
_CHUNK_BYTES = 1 << 20


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a regular file with its mode; the target is made or replaced in place."""
    with Path(source).open("rb") as from_file, Path(target).open("wb") as to_file:
        try:
            fcntl.ioctl(to_file.fileno(), FICLONE, from_file.fileno())
        except OSError as error:
            if error.errno not in _NO_REFLINK:
                raise
            _copy_data(from_file.fileno(), to_file.fileno())
    shutil.copystat(source, target)


def _copy_data(source: int, target: int) -> None:
    """Copy the data ranges only, so that a sparse volume stays sparse."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    position = 0
    while position < size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = os.lseek(source, position, os.SEEK_HOLE)
        os.lseek(source, position, os.SEEK_SET)
        os.lseek(target, position, os.SEEK_SET)
        while position < end and (data := os.read(source, min(_CHUNK_BYTES, end - position))):
            os.write(target, data)
            position += len(data)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder; sockets and pipes in it are left out, as they hold no data."""
    shutil.copytree(source, target, symlinks=True, copy_function=copy_file, ignore=_no_files)


def _no_files(folder: str, names: list[str]) -> set[str]:
    paths = {name: Path(folder) / name for name in names}
    return {n for n, path in paths.items() if not (path.is_symlink() or path.is_dir() or path.is_file())}
