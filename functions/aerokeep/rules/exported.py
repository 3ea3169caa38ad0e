"""Is what lies in the vault the export that the tool says it wrote?"""

from collections.abc import Mapping, Sequence

from aerokeep.model.errors import CorruptError, RejectedError
from aerokeep.model.export import ExportedNamespace, ExportedPart, Live
from aerokeep.model.transfer import Summary, ToldListing, Transfer, Tried
from aerokeep.model.transfer_order import Listing, PartOrder

MOST_TOLD = 3
"""So many wrong files fit into a message."""


def exported_parts(transfer: Transfer) -> dict[str, tuple[Summary, ToldListing, Tried]]:
    """What the jobs say of each part.

    Raises:
        CorruptError: a part counts as done without the tool's summary or the list of its files.

    """
    found = {}
    for part in transfer.parts:
        told = part.status
        if told is None or told.summary is None or told.listing is None:
            raise CorruptError(f"summary_missing: {part.name} ended without the summary of the tool")
        found[part.name] = (told.summary, told.listing, part)
    return found


def require_sizes(part: str, listed: Mapping[str, int], stored: Mapping[str, int]) -> None:
    """Every file that its host listed is in the vault, with that size.

    Raises:
        CorruptError: one is not.

    """
    wrong = [
        f"{key}: {stored.get(key)} instead of {size} bytes" for key, size in listed.items() if stored.get(key) != size
    ]
    if wrong:
        more = " …" if len(wrong) > MOST_TOLD else ""
        raise CorruptError(f"files_differ: {part}: {'; '.join(wrong[:MOST_TOLD])}{more}")


def require_read_back(transfer: Transfer, verified: Transfer, *, of_sets: bool) -> None:
    """What was read back from the vault is what the tool said that it wrote.

    Args:
        transfer: the export.
        verified: what was read back.
        of_sets: only sets were exported: asbackup then writes their indexes alone, but counts all of the namespace.

    Raises:
        CorruptError: records, indexes or UDFs differ.

    """
    wrote = exported_parts(transfer)
    for part in verified.parts:
        summary = wrote[part.name][0]
        read = part.counters.records
        fewer = of_sets and part.sindexes < summary.sindexes
        same = (read, part.udfs) == (summary.records, summary.udfs)
        if not same or not (fewer or part.sindexes == summary.sindexes):
            raise CorruptError(
                f"count_differs: {part.name}: written {summary.records} records, {summary.sindexes} indexes, "
                f"{summary.udfs} UDFs; read back {read}, {part.sindexes}, {part.udfs}"
            )


def summed(
    parts: Sequence[PartOrder], transfer: Transfer, live: Sequence[Live], *, of_sets: bool
) -> tuple[ExportedNamespace, ...]:
    """What each namespace's slices come to; of sets alone, no more indexes than they have were written."""
    told = exported_parts(transfer)
    indexes = {one.namespace: one.indexes for one in live}
    names = dict.fromkeys(part.namespace for part in parts)
    found = [_summed(name, [part for part in parts if part.namespace == name], told, indexes[name]) for name in names]
    if of_sets:
        found = [one.model_copy(update={"sindexes": min(one.sindexes, len(one.indexes))}) for one in found]
    return tuple(found)


def _summed(
    name: str,
    parts: Sequence[PartOrder],
    told: Mapping[str, tuple[Summary, ToldListing, Tried]],
    indexes: tuple[str, ...],
) -> ExportedNamespace:
    summaries = [told[part.name][0] for part in parts]
    return ExportedNamespace(
        namespace=name,
        records=sum(summary.records for summary in summaries),
        sindexes=sum(summary.sindexes for summary in summaries),
        udfs=sum(summary.udfs for summary in summaries),
        bytes=sum(summary.bytes for summary in summaries),
        indexes=indexes,
        parts=tuple(_part(part, *told[part.name]) for part in parts),
    )


def _part(part: PartOrder, summary: Summary, listing: ToldListing, tried: Tried) -> ExportedPart:
    status = tried.status
    return ExportedPart(
        name=part.name,
        partitions=part.partitions,
        listing=Listing(key=listing.key, sha256=listing.sha256),
        files=status.files if status else 0,
        stored_bytes=status.bytes if status else 0,
        records=summary.records,
    )


def require_metadata(
    namespaces: Sequence[ExportedNamespace], udfs: Sequence[str], *, accept_missing: bool
) -> tuple[str, ...]:
    """The tool has written every index and UDF that the cluster had when the export began → notes.

    Raises:
        RejectedError: it wrote fewer, and that was not accepted.

    """
    lacks = [
        f"{one.namespace} has {len(one.indexes)} indexes ({', '.join(one.indexes)}), the tool wrote {one.sindexes}"
        for one in namespaces
        if one.sindexes < len(one.indexes)
    ]
    wrote = max((one.udfs for one in namespaces), default=0)
    if wrote < len(udfs):
        lacks.append(f"the cluster has {len(udfs)} UDFs ({', '.join(udfs)}), the tool wrote {wrote}")
    if lacks and not accept_missing:
        raise RejectedError(f"metadata_missing: {'; '.join(lacks)}: use a newer tool, or say accept_missing_indexes")
    return tuple(lacks)
