"""asbackup's options."""

from __future__ import annotations

import base64
import binascii
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from aerokeep_node.formats.asb import PARTITIONS, partition_of

from sandbox.tools.options import Parser, count, local_time, names, positive
from sandbox.tools.words import refuse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_DIGEST_BYTES = 20
_MOST_PARALLEL = 4096


class Part(NamedTuple):
    """Partitions that one scan covers, perhaps from after a record on."""

    begin: int
    size: int
    after: bytes | None = None

    @property
    def shown(self) -> str:
        """How the tool names it."""
        if self.after is not None:
            return f"partition {self.begin} after {base64.b64encode(self.after).decode()}"
        if self.size == PARTITIONS:
            return "whole namespace"
        if self.size == 1:
            return f"partition {self.begin}"
        return f"{self.size} partitions from {self.begin} to {self.begin + self.size - 1}"


def parser() -> Parser:
    """Make the parser."""
    made = Parser("asbackup", "Aerospike Backup")
    add = made.add_argument
    add("-n", "--namespace", metavar="NAMESPACE", help="the namespace to back up; required")
    add("-s", "--set", type=names, default=[], metavar="SET,…", help="these sets only")
    add("-d", "--directory", metavar="PATH", help="back up to files in this directory")
    add("-o", "--output-file", metavar="PATH", help="back up to one file; - is stdout")
    add("-q", "--output-file-prefix", metavar="PREFIX", help="of the files in the directory")
    add("-F", "--file-limit", type=positive, default=250, metavar="MIB", help="begin another file at this size")
    add("-r", "--remove-files", action="store_true", help="remove what a former backup has left")
    add("-L", "--records-per-second", type=count, default=0, metavar="N", help="0 is no limit")
    add("-N", "--nice", type=count, default=0, metavar="MIB", help="MiB per second; 0 is no limit")
    add("-M", "--max-records", type=count, default=0, metavar="N", help="0 is no limit")
    add("-x", "--no-bins", action="store_true", help="no bins")
    add("-u", "--no-udfs", action="store_true", help="no UDF modules")
    add("-C", "--compact", action="store_true", help="no base64")
    add("--compression-level", type=int, default=3, metavar="N", help="of zstd")
    add("-w", "--parallel", type=positive, default=1, metavar="N", help="scans at once")
    add("-X", "--partition-list", metavar="FILTER,…", help="<begin>[-<count>] or a digest; default 0-4096")
    add("-D", "--after-digest", metavar="DIGEST", help="what comes after this record, and all partitions after it")
    add("-a", "--modified-after", type=local_time, metavar="TIME", help="YYYY-MM-DD_HH:MM:SS, local time")
    add("-b", "--modified-before", type=local_time, metavar="TIME", help="YYYY-MM-DD_HH:MM:SS, local time")
    add("--no-ttl-only", action="store_true", help="records that never expire only")
    add("-e", "--estimate", action="store_true", help="estimate the size of records, and back up nothing")
    add("--estimate-samples", type=positive, default=10_000, metavar="N", help="records to look at")
    add("--prefer-racks", metavar="ID,…", help="taken, and of no effect: scans go to the masters here too")
    add("--sleep-between-retries", "--retry-delay", type=count, default=0, metavar="MS", help="of one scan")
    return made


def read(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        SystemExit: with 1 over what doesn't fit together, with 0 after ``--version`` and ``--help``.

    """
    made = parser()
    args = made.read(argv)
    if not args.namespace:
        refuse(made, "Please specify a namespace (-n option)")
    targets = sum([args.directory is not None, args.output_file is not None, args.estimate])
    if targets != 1:
        refuse(made, "Please specify exactly one of directory (-d), output file (-o) and estimate (-e)")
    if args.parallel > _MOST_PARALLEL:
        refuse(made, f"Invalid parallelism value {args.parallel}")
    if args.partition_list and args.after_digest:
        refuse(made, "partition-list and after-digest are mutually exclusive")
    for path in (args.directory, args.output_file):
        if path and path.startswith("s3://"):
            refuse(made, "S3 paths are not simulated")
    try:
        args.parts = _parts(args)
    except ValueError as error:
        refuse(made, str(error))
    return args


def _parts(args: argparse.Namespace) -> list[Part]:
    if args.after_digest:
        digest = _digest(args.after_digest)
        pid = partition_of(digest)
        rest = [Part(pid + 1, PARTITIONS - pid - 1)] if pid + 1 < PARTITIONS else []
        return [Part(pid, 1, digest), *rest]
    parts = [_part(text) for text in (args.partition_list or f"0-{PARTITIONS}").split(",")]
    taken: set[int] = set()
    for part in parts:
        pids = set(range(part.begin, part.begin + part.size))
        if taken & pids:
            raise ValueError(f"overlapping partition filters in {args.partition_list}")
        taken |= pids
    if len(parts) == 1 and parts[0].after is None:
        return _split(parts[0], 1 if args.estimate else args.parallel)
    return parts


def _part(text: str) -> Part:
    begin, dash, size = text.partition("-")
    if begin.isdecimal() and (not dash or size.isdecimal()):
        part = Part(int(begin), int(size) if dash else 1)
        if part.begin >= PARTITIONS or part.size < 1 or part.begin + part.size > PARTITIONS:
            raise ValueError(f"Invalid partition filter {text}")
        return part
    digest = _digest(text)
    return Part(partition_of(digest), 1, digest)


def _digest(text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise ValueError(f"Invalid partition filter {text}")
    return digest


def _split(part: Part, pieces: int) -> list[Part]:
    """Divide a range evenly."""
    pieces = min(pieces, part.size)
    bounds = [part.begin + part.size * index // pieces for index in range(pieces + 1)]
    return [Part(low, high - low) for low, high in pairwise(bounds)]
