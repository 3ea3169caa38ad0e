"""The files that asbackup writes: one for all scans, or one for each at a time in a directory."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from sandbox.tools import text
from sandbox.tools.streams import Coding, Sink
from sandbox.tools.words import FailedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_BUFFER_BYTES = 1 << 18
_MIB = 1 << 20
SUFFIX = ".asb"


class Files(Protocol):
    """Where scans put their text; every call may raise `OSError` (disk full, reader gone)."""

    @property
    def written(self) -> int:
        """Bytes of all files."""

    def take(self) -> Sink:
        """Give a scan its file."""

    def put(self, sink: Sink, content: bytes) -> Sink:
        """Write; → the file to go on with."""

    def give_back(self, sink: Sink) -> None:
        """Let another scan have it."""

    def close(self) -> None:
        """Close all."""


class OneFile:
    """All scans write into one file, each a record at a time."""

    def __init__(self, file: BinaryIO, namespace: str, coding: Coding) -> None:
        """Write the header."""
        self._lock = threading.Lock()
        self._sink = Sink(file, coding)
        self._sink.write(text.header(namespace))

    @property
    def written(self) -> int:
        """Bytes of the file."""
        return self._sink.written

    def take(self) -> Sink:
        """Give the file."""
        return self._sink

    def put(self, sink: Sink, content: bytes) -> Sink:
        """Write."""
        with self._lock:
            sink.write(content)
        return sink

    def give_back(self, sink: Sink) -> None:
        """Keep it."""

    def close(self) -> None:
        """Close it."""
        self._sink.close()


class Directory:
    """Files of a limited size, named by number."""

    def __init__(self, folder: Path, stem: str, namespace: str, *, limit_bytes: int, coding: Coding) -> None:
        """Take an empty folder."""
        self._folder = folder
        self._stem = stem
        self._namespace = namespace
        self._limit_bytes = limit_bytes
        self._coding = coding
        self._lock = threading.Lock()
        self._sinks: list[Sink] = []
        self._idle: list[Sink] = []

    @property
    def written(self) -> int:
        """Bytes of all files."""
        return sum(sink.written for sink in self._sinks)

    def take(self) -> Sink:
        """Give an unfinished file, or begin one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            path = self._folder / f"{self._stem}_{len(self._sinks):05d}{SUFFIX}"
            sink = Sink(path.open("wb", _BUFFER_BYTES), self._coding)
            self._sinks.append(sink)
        sink.write(text.header(self._namespace))
        return sink

    def put(self, sink: Sink, content: bytes) -> Sink:
        """Write, into another file if this one is large enough."""
        if sink.written >= self._limit_bytes:
            sink.close()
            sink = self.take()
        sink.write(content)
        return sink

    def give_back(self, sink: Sink) -> None:
        """Let another scan have it."""
        with self._lock:
            self._idle.append(sink)

    def close(self) -> None:
        """Close what is left open."""
        for sink in self._idle:
            sink.close()
        self._idle.clear()


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        assert isinstance(content, bytes)  # noqa: S101 - what a sink writes
        return len(content)


def opened(args: argparse.Namespace, coding: Coding) -> Files:
    """Open what the command line asks for.

    Raises:
        FailedError: a former backup is in the way, or nothing can be written there.

    """
    try:
        if args.estimate:
            return OneFile(_Nowhere(), args.namespace, coding)  # type: ignore[arg-type] # a raw file that is never short
        if args.output_file == "-":
            return OneFile(open(sys.stdout.fileno(), "wb", _BUFFER_BYTES), args.namespace, coding)  # noqa: PTH123 - a descriptor
        if args.output_file is not None:
            path = Path(args.output_file)
            if path.exists() and path.is_file() and not args.remove_files:
                raise FailedError(f"Output file {path} already exists; use -r to remove")
            return OneFile(path.open("wb", _BUFFER_BYTES), args.namespace, coding)
        folder = Path(args.directory)
        folder.mkdir(parents=True, exist_ok=True)
        _clear(sorted(folder.glob(f"*{SUFFIX}")), args)
        stem = args.output_file_prefix or args.namespace
        return Directory(folder, stem, args.namespace, limit_bytes=args.file_limit * _MIB, coding=coding)
    except OSError as error:
        raise FailedError(f"Error while opening backup file: {error.strerror}") from error


def _clear(found: Sequence[Path], args: argparse.Namespace) -> None:
    if found and not args.remove_files:
        raise FailedError(f"Directory {args.directory} seems to contain an existing backup; use -r to clear directory")
    for path in found:
        path.unlink()
