"""State ``FindOrphans``: which snapshots, volumes and interfaces of dead runs does nobody need any more?"""

from collections import Counter
from typing import Any

from aerokeep.aws.ssm import Configurations
from aerokeep.model.guardian import GuardianRequest
from aerokeep.model.orphan import Candidate, Fate, Kind, Orphan
from aerokeep.model.wire import Wire
from aerokeep.rules.orphans import chosen
from aerokeep.steps.shared.orphan_search import OrphanSearch
from aerokeep.steps.shared.starting_out import parse_request
from aerokeep.steps.step import Meter, logger, step

MOST_TOLD = 50


class Input(Wire):
    """What Step Functions knows at the start."""

    request: dict[str, Any]
    """The execution input, still unchecked."""


class Told(Wire):
    """One orphan, for people."""

    kind: Kind
    id: str
    cluster: str
    run_id: str
    reason: str


class Output(Wire):
    """The verdicts; all of them stand in the log."""

    delete: bool
    """Deleting was asked for, and there is something that may go."""
    doomed: tuple[Candidate, ...]
    """What may go in this round."""
    left_for_later: int
    """What may go, too: not more than so many in one round."""
    kept: tuple[Told, ...]
    """What nobody names, and what a person has to look at."""
    kept_in_all: int
    needed: int


def run(request: Input, *, configurations: Configurations, search: OrphanSearch, meter: Meter) -> Output:
    """Judge everything that carries the tag of a run; nothing is changed.

    Raises:
        RejectedError: an unknown cluster, or an unknown or wrong field.

    """
    wanted = parse_request(GuardianRequest, request.request)
    clusters = [configurations.of_cluster(wanted.cluster).name] if wanted.cluster else [*configurations.all()]
    orphans = list(search.judged(clusters))
    kept = [orphan for orphan in orphans if orphan.fate is Fate.KEPT]
    doomed = chosen(orphans)
    may_go = sum(orphan.fate is Fate.DELETED for orphan in orphans)
    for orphan in orphans:
        if orphan.fate is not Fate.NEEDED:
            told = _told(orphan).model_dump(mode="json")
            logger.warning("orphan found", fate=orphan.fate, **told)
    counts = Counter(orphan.candidate.cluster for orphan in kept)
    for cluster in clusters:
        meter.record(cluster, OrphansKept=counts[cluster])
    return Output(
        delete=wanted.orphans == "delete" and bool(doomed),
        doomed=tuple(orphan.candidate for orphan in doomed),
        left_for_later=may_go - len(doomed),
        kept=tuple(_told(orphan) for orphan in kept[:MOST_TOLD]),
        kept_in_all=len(kept),
        needed=sum(orphan.fate is Fate.NEEDED for orphan in orphans),
    )


def _told(orphan: Orphan) -> Told:
    of = orphan.candidate
    return Told(kind=of.kind, id=of.id, cluster=of.cluster, run_id=of.run_id, reason=orphan.reason)


handler = step(run)
