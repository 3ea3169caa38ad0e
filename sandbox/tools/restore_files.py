"""The files that asrestore reads."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sandbox.tools.streams import Coding, Source
from sandbox.tools.words import FailedError, inf

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

SUFFIX = ".asb"
_SIZED_STDIN = "-:"


class Inputs:
    """All files of a run, and how much of them has been read."""

    def __init__(self, args: argparse.Namespace, coding: Coding) -> None:
        """Find the files.

        Raises:
            FailedError: there are none.

        """
        self._coding = coding
        self._read = 0
        self._source: Source | None = None
        stdin = args.input_file is not None and (args.input_file == "-" or args.input_file.startswith(_SIZED_STDIN))
        self.paths: list[Path | None] = [None] if stdin else [Path(args.input_file)] if args.input_file else []
        for folder in args.folders:
            found = sorted(Path(folder).glob(f"*{SUFFIX}")) if Path(folder).is_dir() else []
            inf(f"Found {len(found)} backup file(s) in {folder}")
            if not found:
                raise FailedError(f"No backup files found in {folder}")
            self.paths += found
        try:
            self.size_bytes = sum(path.stat().st_size for path in self.paths if path is not None)
        except OSError as error:
            raise FailedError(f"Error while opening backup file {error.filename}: {error.strerror}") from error
        if stdin:
            given = args.input_file.removeprefix(_SIZED_STDIN)
            self.size_bytes = int(given) if given.isdecimal() else 0

    @property
    def read_bytes(self) -> int:
        """Bytes read so far."""
        return self._read + (self._source.taken if self._source else 0)

    @contextmanager
    def opened(self, path: Path | None) -> Iterator[BinaryIO]:
        """Open a file, or stdin.

        Raises:
            FailedError: it can't be opened.

        """
        try:
            file: BinaryIO = path.open("rb") if path is not None else sys.stdin.buffer
        except OSError as error:
            raise FailedError(f"Error while opening backup file {path}: {error.strerror}") from error
        if path is not None:
            inf(f"Opened backup file {path}")
        with file:
            self._source = Source(file, self._coding)
            yield self._source.text
        self._read += self._source.taken
        self._source = None
