"""Is the SMD of a recovery point whole: every node's files valid, and the nodes at one version per module."""

from collections.abc import Iterator, Mapping

from aerokeep_node.formats.smd import BadSmdError, parse_smd


def smd_faults(files: Mapping[str, Mapping[str, bytes]]) -> Iterator[str]:
    """Faults in ``{node_id: {"sindex.smd": bytes}}``; nothing where all is well.

    asd writes each file without fsync and takes a broken one for an empty module without saying so
    (aerospike.md §C1), so a file that does not parse would be lost silently at the restore.
    """
    for node_id, modules in sorted(files.items()):
        for name, body in sorted(modules.items()):
            try:
                parse_smd(body)
            except BadSmdError as error:
                yield f"node {node_id}: {name}: {error}"
