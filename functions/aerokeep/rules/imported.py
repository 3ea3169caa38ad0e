"""Did everything arrive? Judged by the tool's counters; its exit code says nothing of records that it left out."""

from collections.abc import Iterator, Mapping

from aerokeep.model.errors import CorruptError, RejectedError
from aerokeep.model.import_ import ImportPlan, ImportRequest
from aerokeep.model.transfer import Counters, Transfer, Tried


def totals(transfer: Transfer) -> Counters:
    """Of all parts together."""
    whole = Counters()
    for part in transfer.parts:
        whole = whole.plus(part.counters)
    return whole


def require_imported(request: ImportRequest, plan: ImportPlan, transfer: Transfer) -> tuple[str, ...]:
    """Every record of the export was written, or was left out for a reason that the request allows → notes.

    Raises:
        CorruptError: the tool read other records than the export holds.
        RejectedError: records were left out.

    """
    notes: list[str] = []
    for part in transfer.parts:
        _require_all_read(part, plan.records)
        notes += _left_out(part, request)
    return tuple(notes)


def _require_all_read(part: Tried, records: Mapping[str, int]) -> None:
    told = part.counters
    outcomes = told.inserted + told.existed + told.fresher + told.expired + told.skipped + told.ignored
    if told.records != outcomes:
        raise CorruptError(f"count_differs: {part.name}: {told.records} records read, but {outcomes} accounted for")
    if told.records != records[part.name]:
        raise CorruptError(
            f"count_differs: {part.name} holds {records[part.name]} records by its manifest, "
            f"the tool read {told.records}"
        )


def _left_out(part: Tried, request: ImportRequest) -> Iterator[str]:
    told = part.counters
    if told.ignored or told.skipped:
        raise RejectedError(
            f"records_left_out: {part.name}: {told.ignored} records ignored, {told.skipped} skipped: the cluster did "
            "not take them; look at its log, and start the import again"
        )
    stayed = told.existed + told.fresher
    if stayed and request.existing == "refuse" and not part.repeated:
        raise RejectedError(
            f"records_existed: {part.name}: {stayed} records were in the cluster already, which was empty when the "
            "import was planned: who writes there? Say existing: allow if that is meant"
        )
    if stayed:
        why = "an earlier try of this import, or a client, had written them" if part.repeated else "as allowed"
        yield f"{part.name}: {stayed} records stayed as they were ({why})"
    if told.expired:
        yield f"{part.name}: {told.expired} records had outlived their time to live"
