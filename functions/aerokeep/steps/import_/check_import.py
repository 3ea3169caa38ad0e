"""State ``CheckImport``: judge the import by the tool's counters, and ask the cluster for indexes and UDFs."""

from collections.abc import Iterator

from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import NotReadyError
from aerokeep.model.health import NodeHealth
from aerokeep.model.import_ import ImportOrder, ImportPlan
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Counters, Transfer
from aerokeep.model.transfer_order import Kind
from aerokeep.model.wire import Wire
from aerokeep.rules.import_plan import wanted_of
from aerokeep.rules.imported import require_imported, totals
from aerokeep.steps.shared.asking import Asked, Progress, heard
from aerokeep.steps.shared.patience import pace_s, since
from aerokeep.steps.shared.transferring import key_of
from aerokeep.steps.step import Clock, step

METADATA_DEADLINE_S = 120
"""Indexes and UDFs spread over the cluster as system metadata, within seconds."""


class Imported(Wire):
    """What became of the records."""

    counters: Counters
    notes: tuple[str, ...]


def run(request: RunRef, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> Progress:
    """Counters first; then every node is asked, until all have what the export holds.

    Raises:
        CorruptError: the tool read something else than the export holds.
        RejectedError: records were left out.
        NotReadyError: indexes or UDFs did not appear.

    """
    order, plan = runs.read(request, "order", ImportOrder), runs.read(request, "plan", ImportPlan)
    transfer = runs.read(request, key_of(Kind.IMPORT), Transfer)
    notes = require_imported(order.request, plan, transfer)
    begun_at = since(runs, request, "check", now=clock())
    asked = runs.find(request, f"check-{request.epoch}", Asked)
    if asked is not None:
        told = hosts.replies(asked.command_ids, asked.instance_ids)
        good = heard(told, deadline=asked.deadline, now=clock())
        if good is None:
            return Progress(done=False)
        missing = list(_missing(order, [NodeHealth.model_validate(reply.body) for reply in good.values()]))
        if good and not missing:
            runs.write(request, "imported", Imported(counters=totals(transfer), notes=notes))
            return Progress(done=True)
        if (clock() - begun_at).total_seconds() > METADATA_DEADLINE_S:
            raise NotReadyError(f"metadata_missing: {'; '.join(missing) or 'no node answers'}")
    _ask(request, order, runs, instances, hosts, clock)
    return Progress(done=False, wait_s=pace_s(begun_at, now=clock(), first_s=2))


def _ask(run: RunRef, order: ImportOrder, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> None:
    nodes = [node.instance_id for node in instances.of_tag(order.config.tag) if node.state == "running"]
    commands, reached = hosts.send_where_heard("health", nodes)
    asked = Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(reached)), asked_at=clock())
    runs.write(run, f"check-{run.epoch}", asked)


def _missing(order: ImportOrder, healths: list[NodeHealth]) -> Iterator[str]:
    """Of indexes and UDFs the export holds so many; which ones it lacks, where that was accepted, nobody knows."""
    udfs = set(order.manifest.udfs)
    for health in healths:
        there = {(index.namespace, index.name) for index in health.sindexes}
        for namespace, target in wanted_of(order.request, order.manifest):
            lacks = [name for name in namespace.indexes if (target, name) not in there]
            if len(namespace.indexes) - len(lacks) < min(namespace.sindexes, len(namespace.indexes)):
                yield f"{health.node_id} has no index {', '.join(lacks)} in {target}"
        lacks = sorted(udfs - set(health.udfs))
        if len(udfs) - len(lacks) < min(order.manifest.udf_count, len(udfs)):
            yield f"{health.node_id} has no UDF {', '.join(lacks)}"


handler = step(run)
