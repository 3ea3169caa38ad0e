"""State ``CheckCluster``: look at all nodes together until every gate was passed several times in a row."""

from datetime import timedelta

from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.gates import Count, Sample, count_records, judge_gates, passed
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.patience import pace_s, since
from aerokeep.steps.shared.restoring import order_of, placed_nodes, plan_of
from aerokeep.steps.shared.sampling import keep, looks_of, next_round, remember
from aerokeep.steps.step import Clock, logger, step

BETWEEN_LOOKS_S = 5
"""Longer than the heartbeat timeout of 1.5 s, within which a node may not have noticed that another is gone."""


class Counted(Wire):
    """The records of each namespace just before writes were opened."""

    counts: tuple[Count, ...]


def run(request: RunRef, *, runs: Runs, hosts: Hosts, clock: Clock) -> Progress:
    """Writes are still rejected, so what is counted now is what came back.

    Raises:
        CorruptError: a server ended.
        NotReadyError: the gates were not passed by the deadline; with the last problems.

    """
    began_at, nodes = since(runs, request, "check", now=clock()), placed_nodes(runs, request)
    looks, told = next_round(looks_of(runs, request, "check"), nodes, hosts)
    if told is not None:
        if told.silent:
            raise CorruptError(f"server_ended: no server runs any more on {', '.join(told.silent)}: see its log")
        node_ids = frozenset(node.node_id for node in nodes.values())
        sample = judge_gates(told.healths, node_ids=node_ids, rejecting=True)
        looks = remember(looks, Sample(problems=(*told.faults, *sample.problems)))
        logger.info("looked at the cluster", problems=list(looks.samples[-1].problems[:5]))
    keep(runs, request, "check", looks)
    if told is not None and passed(looks.samples):
        counts = count_records(told.healths, plan_of(runs, request).expected)
        runs.write(request, "counted", Counted(counts=counts))
        return Progress(done=True)
    deadline_s = order_of(runs, request).config.restore.check_deadline_s
    if clock() >= began_at + timedelta(seconds=deadline_s):
        problems = looks.samples[-1].problems if looks.samples else ("no host answered",)
        raise NotReadyError(f"gates_not_passed: after {deadline_s:g} s: {'; '.join(problems[:10])}")
    # Migrations take hours; once a look was good, the next ones decide.
    good = bool(looks.samples) and looks.samples[-1].good
    wait_s = BETWEEN_LOOKS_S if good else pace_s(began_at, now=clock(), first_s=BETWEEN_LOOKS_S)
    return Progress(done=False, wait_s=wait_s)


handler = step(run)
