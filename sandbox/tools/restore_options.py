"""asrestore's options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.tools.options import Pace, Parser, count, names, positive
from sandbox.tools.words import refuse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_MOST_NAMESPACES = 2


def parser() -> Parser:
    """Make the parser."""
    made = Parser("asrestore", "Aerospike Restore Utility")
    add = made.add_argument
    add("-n", "--namespace", type=names, default=[], metavar="SOURCE[,TARGET]", help="restore it, perhaps to another")
    add("-d", "--directory", metavar="PATH", help="restore all .asb files of this directory")
    add("--directory-list", type=names, default=[], metavar="PATH,…", help="restore all .asb files of these")
    add("--parent-directory", metavar="PATH", help="of the directory list")
    add("-i", "--input-file", metavar="PATH", help="restore one file; - is stdin, -:<bytes> tells its size")
    add("-t", "--parallel", "--threads", type=positive, default=20, metavar="N", help="threads that write")
    add("-s", "--set-list", type=names, default=[], metavar="SET,…", help="these sets only")
    add("-u", "--unique", action="store_true", help="leave records alone that exist")
    add("-r", "--replace", action="store_true", help="replace records that exist instead of merging bins")
    add("-g", "--no-generation", action="store_true", help="overwrite records of a later generation too")
    add("-l", "--extra-ttl", type=count, default=0, metavar="SECONDS", help="added to expiries")
    add("--ignore-record-error", action="store_true", help="go on after errors of single records")
    add("-N", "--nice", metavar="MIB,TPS", help="limits per second")
    add("--validate", action="store_true", help="read the backup only; nothing is connected or written")
    add("-L", "--indexes-last", action="store_true", help="create secondary indexes after the records")
    add("-F", "--no-udfs", action="store_true", help="no UDF modules")
    add("-w", "--wait", action="store_true", help="wait until secondary indexes are built (here they are at once)")
    add("-T", "--timeout", type=count, default=10_000, metavar="MS", help="of one write")
    add("--retry-scale-factor", type=count, default=150_000, metavar="US", help="wait this long before the first retry")
    add("--disable-batch-writes", action="store_true", help="write record by record")
    add("--max-async-batches", type=positive, default=32, metavar="N", help="batches on their way at once")
    add("--batch-size", type=positive, default=None, metavar="N", help="records of a batch; default 128, or 16 singly")
    add("--event-loops", type=positive, default=1, metavar="N", help="taken, and of no effect")
    return made


def read(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        SystemExit: with 1 over what doesn't fit together, with 0 after ``--version`` and ``--help``.

    """
    made = parser()
    args = made.read(argv)
    sources = sum([args.directory is not None, args.input_file is not None, bool(args.directory_list)])
    if sources != 1:
        refuse(made, "Please specify exactly one of directory (-d), directory list and input file (-i)")
    if args.unique and args.replace:
        refuse(made, "Invalid options: unique and replace are mutually exclusive")
    if args.unique and args.no_generation:
        refuse(made, "Invalid options: unique and no-generation are mutually exclusive")
    if len(args.namespace) > _MOST_NAMESPACES:
        refuse(made, f"Invalid namespace option {','.join(args.namespace)}")
    for path in (args.directory, args.input_file, *args.directory_list):
        if path and path.startswith("s3://"):
            refuse(made, "S3 paths are not simulated")
    args.pace = Pace()
    if args.nice:
        mib, comma, tps = args.nice.partition(",")
        if not comma or not mib.isdecimal() or not tps.isdecimal() or "0" in (mib, tps):
            refuse(made, f"Invalid nice option {args.nice}")
        args.pace = Pace.of_mib(int(mib), int(tps))
    args.batch_size = args.batch_size or (16 if args.disable_batch_writes else 128)
    args.folders = [args.directory] if args.directory else []
    args.folders += [str(Path(args.parent_directory or "") / name) for name in args.directory_list]
    return args
