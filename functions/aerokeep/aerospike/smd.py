"""Is the SMD of a recovery point whole: every node's files valid, and the nodes at one version per module."""

from collections.abc import Iterator, Mapping

from aerokeep_node.formats.smd import BadSmdError, SmdFile, SmdItem, parse_smd


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


SINDEX, UDF = "sindex.smd", "UDF.smd"


def newest_holders(files: Mapping[str, Mapping[str, bytes]]) -> dict[str, str]:
    """For each module the node whose file every node gets: the newest one, as the principal would have had it.

    Args:
        files: ``{node_id: {"sindex.smd": bytes}}``.

    """
    holders: dict[str, str] = {}
    best: dict[str, tuple[int, int, str]] = {}
    for node_id, modules in sorted(files.items()):
        for name, body in modules.items():
            found = parse_smd(body)
            rank = (found.tid, max((item.timestamp for item in found.items), default=0), node_id)
            if name not in best or rank > best[name]:
                best[name], holders[name] = rank, node_id
    return holders


def index_names(body: bytes) -> frozenset[str]:
    """Names of the secondary indexes in a ``sindex.smd``; a key is ``ns|set|bin|…`` and the value the index's name."""
    return frozenset(item.value for item in _live(parse_smd(body)) if item.value)


def udf_names(body: bytes) -> frozenset[str]:
    """Names of the modules in a ``UDF.smd``."""
    return frozenset(item.key for item in _live(parse_smd(body)))


def _live(file: SmdFile) -> list[SmdItem]:
    return [item for item in file.items if item.value is not None]
