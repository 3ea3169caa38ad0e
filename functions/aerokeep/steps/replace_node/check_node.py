"""State ``CheckNode``: take the first start's settings away, follow the join and the migrations, and book the node."""

from datetime import datetime, timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Inventories, Runs
from aerokeep.model.errors import CorruptError, NotReadyError
from aerokeep.model.inventory import Inventory, NodeInventory
from aerokeep.model.replacement import DataChoice, ReplaceOrder, Report
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Survey
from aerokeep.rules.gates import Sample, judge_gates, passed
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark
from aerokeep.steps.shared.patience import pace_s, since
from aerokeep.steps.shared.protecting import Protected, Protector
from aerokeep.steps.shared.relaunching import Returned
from aerokeep.steps.shared.replacing import choice_of, order_of, returned_of
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.shared.sampling import keep, looks_of, next_round, remember
from aerokeep.steps.step import Clock, logger, step

BETWEEN_LOOKS_S = 5
"""Longer than the heartbeat timeout of 1.5 s, within which a node may not have noticed that another is gone."""


def run(
    request: RunRef,
    *,
    runs: Runs,
    catalog: Catalog,
    hosts: Hosts,
    protector: Protector,
    inventories: Inventories,
    clock: Clock,
) -> Progress:
    """The settings go first: migrations take hours, and nothing that would empty the node may stay on its disk so long.

    Raises:
        RejectedError: the host found settings that would lose data at the next start.
        CorruptError: a server ended.
        NotReadyError: the gates were not passed by the deadline; with the last problems.

    """
    order, returned = order_of(runs, request), returned_of(runs, request)
    mark(runs, request, "opening", now=clock())
    asker = Asker(request, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    if not _is_open(request, asker, order, returned):
        return Progress(done=False)
    joined = _has_joined(request, order, returned, runs, hosts, clock)
    if not joined.done:
        return joined
    surveyed = asker.until(
        "survey",
        [returned.instance_id],
        lambda _: {},
        accept=lambda body: bool((body.get("asd") or {}).get("running")),
        deadline_s=order.config.replace.patience_s,
        name="survey-after",
    )
    if surveyed is None:
        return Progress(done=False)
    survey = Survey.model_validate(surveyed[returned.instance_id])
    done = protector.look(
        request,
        {returned.instance_id: survey},
        Protected(),
        conf={order.node.node_id: order.node.conf},
        may_change=lambda: catalog.require(request),
        clock=clock,
    )
    node = done.nodes[returned.instance_id]
    nodes = tuple(sorted((node, *order.peers), key=lambda node: node.node_id))
    inventory = Inventory(cluster=request.cluster, run_id=request.run_id, taken_at=clock(), nodes=nodes)
    catalog.require(request)
    inventories.write(inventory)
    protector.sync_alarms(inventory, now=clock())
    catalog.record_replacement(request, node_id=order.node.node_id, at=clock())
    runs.write(request, "report", _report(request, order, node, choice_of(runs, request), now=clock()))
    return Progress(done=True)


def _report(request: RunRef, order: ReplaceOrder, node: NodeInventory, choice: DataChoice, *, now: datetime) -> Report:
    return Report(
        node=node.node_id,
        ip=node.private_ip,
        instance=node.instance_id,
        replaced_instance=order.node.instance_id,
        same_ip=node.private_ip == order.node.private_ip,
        same_mac=node.mac_address == order.node.mac_address,
        same_node_id=node.node_id == order.node.node_id,
        data=choice.data,
        reason=choice.reason,
        recovery_s=round((now - request.started_at).total_seconds(), 1),
    )


def _is_open(request: RunRef, asker: Asker, order: ReplaceOrder, returned: Returned) -> bool:
    namespaces = ",".join(sorted(order.node.rack_ids))
    opened = asker.until(
        "open-writes",
        [returned.instance_id],
        lambda _: {"Run": request.run_id, "Namespaces": namespaces},
        accept=lambda body: body.get("open") is True,
        deadline_s=order.config.replace.patience_s,
    )
    return opened is not None


def _has_joined(
    request: RunRef, order: ReplaceOrder, returned: Returned, runs: Runs, hosts: Hosts, clock: Clock
) -> Progress:
    """Whether all nodes passed every gate several times in a row, migrations included."""
    began_at, deadline_s = since(runs, request, "join", now=clock()), order.config.replace.join_deadline_s
    ids = [returned.instance_id, *(peer.instance_id for peer in order.peers)]
    looks, told = next_round(looks_of(runs, request, "join"), ids, hosts)
    if told is not None:
        if returned.instance_id in told.silent:
            raise CorruptError(f"server_ended: no server runs any more on {returned.instance_id}: see its log")
        node_ids = frozenset(node.node_id for node in order.everyone)
        sample = judge_gates(told.healths, node_ids=node_ids, rejecting=False)
        looks = remember(looks, Sample(problems=(*told.faults, *sample.problems)))
        logger.info("looked at the cluster", problems=list(looks.samples[-1].problems[:5]))
    keep(runs, request, "join", looks)
    if passed(looks.samples):
        return Progress(done=True)
    problems = looks.samples[-1].problems if looks.samples else ("no host answered",)
    if clock() >= began_at + timedelta(seconds=deadline_s):
        raise NotReadyError(f"not_joined: after {deadline_s:g} s: {'; '.join(problems[:10])}")
    return Progress(done=False, wait_s=pace_s(began_at, now=clock()) if problems else BETWEEN_LOOKS_S)


handler = step(run)
