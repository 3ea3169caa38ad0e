"""State ``SettleOrphans``: delete what was found to be nobody's, if it still is."""

from typing import assert_never

from aerokeep.aws.errors import known
from aerokeep.model.errors import AerokeepError, TransientError
from aerokeep.model.orphan import Candidate, Fate, Kind, Orphan
from aerokeep.model.recovery_point import Abandonment, Manifest
from aerokeep.model.wire import Wire
from aerokeep.rules.orphans import MOST_PER_ROUND
from aerokeep.steps.shared.orphan_search import OrphanSearch, run_of
from aerokeep.steps.step import Meter, logger, step

REASON = "dead_run: found by the guardian: its snapshots were left behind"


class Input(Wire):
    """What ``FindOrphans`` has found."""

    doomed: tuple[Candidate, ...]


class Output(Wire):
    """What became of each."""

    deleted: tuple[str, ...]
    spared: dict[str, str]
    """What is not gone → why."""


def run(request: Input, *, search: OrphanSearch, meter: Meter) -> Output:
    """Judge again, since things may have changed; then close each point before its snapshots go."""
    wanted = {candidate.id: candidate for candidate in request.doomed[:MOST_PER_ROUND]}
    verdicts = {
        o.candidate.id: o for o in search.judged({c.cluster for c in wanted.values()}) if o.candidate.id in wanted
    }
    deleted: list[str] = []
    spared: dict[str, str] = {}
    for id_, candidate in wanted.items():
        verdict = verdicts.get(id_)
        why = _spare(verdict, candidate, search)
        if why is None:
            deleted.append(id_)
            logger.warning("orphan deleted", kind=candidate.kind, id=id_, run=candidate.run_id)
            meter.record(candidate.cluster, OrphansDeleted=1)
        else:
            spared[id_] = why
            logger.warning("orphan spared", kind=candidate.kind, id=id_, reason=why)
    return Output(deleted=tuple(deleted), spared=spared)


def _spare(verdict: Orphan | None, found: Candidate, search: OrphanSearch) -> str | None:
    """Delete one, or say why not."""
    if verdict is None:
        return "it is gone"
    if verdict.fate is not Fate.DELETED or verdict.candidate != found:
        return verdict.reason if verdict.fate is not Fate.DELETED else "it has changed since it was found"
    try:
        with known():
            if verdict.close_point and not _closed(found, search):
                return "its point was committed meanwhile"
            _delete(found, search)
    except TransientError:
        raise
    except AerokeepError as error:
        return str(error)
    return None


def _closed(found: Candidate, search: OrphanSearch) -> bool:
    """Abandon the point of a snapshot: after that it can never be committed."""
    run = run_of(found.cluster, found.run_id)
    if run is None:
        return False
    catalog = search.holders.catalog
    run = run.model_copy(update={"execution": (catalog.entry(run) or {}).get("execution", "")})
    at = search.holders.clock()
    given_up = Abandonment(point_id=run.point_id, execution=run.execution, abandoned_at=at, reason=REASON)
    if isinstance(search.points.settle(run, given_up), Manifest):
        return False
    catalog.record(run, state="abandoned", details={"reason": REASON})
    return True


def _delete(found: Candidate, search: OrphanSearch) -> None:
    match found.kind:
        case Kind.SNAPSHOT:
            search.snapshots.delete(found.id)
        case Kind.VOLUME:
            search.volumes.delete(found.id)
        case Kind.INTERFACE:
            search.interfaces.delete(found.id)
        case _:
            assert_never(found.kind)


handler = step(run)
