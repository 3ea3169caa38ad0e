"""Internal verb ``parse-export``: read an export from stdin to its end, and count what it holds as asrestore would."""

import contextlib
import hashlib
import os
import sys
from typing import BinaryIO, ContextManager, FrozenSet, Optional

from aerokeep_node.formats.asb import BadExportError, Index, Record, Udf, partition_of, read_export
from aerokeep_node.tree import Tree

PARSE = "parse-export"
SAMPLE_VARIABLE, SAMPLE_FILE_VARIABLE = "AEROKEEP_SAMPLE", "AEROKEEP_SAMPLE_FILE"
"""Partitions whose records are noted, and the file where: the digest of each, and a hash of all that it is."""
HASH_BYTES = 16


def run_parse(tree: Tree, run: str) -> int:
    """Print a summary in asrestore's own form; an export that is cut off within a record has none."""
    del tree, run
    counts = {Record: 0, Index: 0, Udf: 0}
    partitions = frozenset(int(number) for number in os.environ.get(SAMPLE_VARIABLE, "").split(",") if number)
    path = os.environ.get(SAMPLE_FILE_VARIABLE)
    notes: ContextManager[Optional[BinaryIO]] = open(path, "ab") if path else contextlib.nullcontext()  # noqa: SIM115 - closed below
    try:
        with notes as file:
            for entry in read_export(sys.stdin.buffer):
                if type(entry) in counts:
                    counts[type(entry)] += 1
                if file is not None and isinstance(entry, Record):
                    _note(entry, partitions, file)
    except BadExportError as error:
        print(error, file=sys.stderr)
        return 1
    print("SUMMARY:{}:{}:{}:0:0:0:0:0:0".format(counts[Udf], counts[Index], counts[Record]))
    return 0


def _note(record: Record, partitions: FrozenSet[int], file: BinaryIO) -> None:
    if partition_of(record.digest) in partitions:
        file.write(record.digest + hashlib.sha256(record.raw).digest()[:HASH_BYTES])
