"""Internal verb ``parse-export``: read an export from stdin to its end, and count what it holds as asrestore would."""

import sys

from aerokeep_node.formats.asb import BadExportError, Index, Record, Udf, read_export
from aerokeep_node.tree import Tree

PARSE = "parse-export"


def run_parse(tree: Tree, run: str) -> int:
    """Print a summary in asrestore's own form; an export that is cut off within a record has none."""
    del tree, run
    counts = {Record: 0, Index: 0, Udf: 0}
    try:
        for entry in read_export(sys.stdin.buffer):
            if type(entry) in counts:
                counts[type(entry)] += 1
    except BadExportError as error:
        print(error, file=sys.stderr)
        return 1
    print("SUMMARY:{}:{}:{}:0:0:0:0:0:0".format(counts[Udf], counts[Index], counts[Record]))
    return 0
