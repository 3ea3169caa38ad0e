"""State ``VerifyRestore``: compare what came back with what the point holds: records, indexes, UDFs."""

from collections.abc import Iterator, Mapping, Sequence

from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import CorruptError
from aerokeep.model.health import NodeHealth
from aerokeep.model.restore import RestorePlan
from aerokeep.model.run import RunRef
from aerokeep.rules.gates import Count, count_faults
from aerokeep.steps.restore.check_cluster import Counted
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.restoring import placed_nodes, plan_of
from aerokeep.steps.shared.sampling import keep, looks_of, next_round
from aerokeep.steps.step import Clock, step

PATIENCE_S = 600
"""Indexes are populated after the start; servers list them at once."""


class Output(Progress):
    """What was found, for the report."""

    counts: tuple[Count, ...] = ()
    indexes: int = 0
    udfs: int = 0
    notes: tuple[str, ...] = ()


def run(request: RunRef, *, runs: Runs, hosts: Hosts, clock: Clock) -> Output:
    """Writes flow already, so records are judged as they were counted just before.

    Raises:
        CorruptError: something that the point holds did not come back.

    """
    began_at, plan = since(runs, request, "verify", now=clock()), plan_of(runs, request)
    looks, told = next_round(looks_of(runs, request, "verify"), placed_nodes(runs, request), hosts)
    keep(runs, request, "verify", looks)
    late = (clock() - began_at).total_seconds() >= PATIENCE_S
    if told is None or (told.faults and not late):
        return Output(done=False)
    counts = runs.read(request, "counted", Counted).counts
    faults = [*told.faults, *_metadata_faults(plan, told.healths), *count_faults(counts, told.healths)]
    if faults and not late:
        return Output(done=False)
    if faults:
        raise CorruptError(f"not_all_came_back: {'; '.join(faults)}: the old volumes are kept")
    return Output(done=True, counts=counts, indexes=len(plan.indexes), udfs=len(plan.udfs), notes=tuple(_notes(counts)))


def _metadata_faults(plan: RestorePlan, healths: Mapping[str, NodeHealth]) -> Iterator[str]:
    for instance_id, health in sorted(healths.items()):
        where = f"{health.node_id} ({instance_id})"
        if missing := set(plan.indexes) - {index.name for index in health.sindexes}:
            yield f"indexes_missing: {', '.join(sorted(missing))} on {where}"
        if missing := set(plan.udfs) - set(health.udfs):
            yield f"udfs_missing: {', '.join(sorted(missing))} on {where}"


def _notes(counts: Sequence[Count]) -> Iterator[str]:
    for count in counts:
        if count.expected is None:
            yield f"not_counted: {count.namespace} has {count.found} records now; nobody counted them at the cut"
        elif count.missing:
            yield f"fewer: {count.missing} records of {count.namespace} less than at the cut: their time was over"
        elif count.found > count.expected:
            extra = count.found - count.expected
            yield f"more: {extra} records of {count.namespace} more than at the cut: deletes that were not durable"


handler = step(run)
