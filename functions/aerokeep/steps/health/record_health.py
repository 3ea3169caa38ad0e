"""State ``RecordHealth``: turn the hosts' answers into metrics: a node that nobody hears or sees counts as silent."""

from datetime import timedelta
from typing import TYPE_CHECKING

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.metrics import Measurements
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.health import NodeHealth
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.health import measure
from aerokeep.steps.health.ask_nodes import HealthRound
from aerokeep.steps.shared.asking import LOOK_AGAIN_S, heard
from aerokeep.steps.shared.yielding import rebuilt_by
from aerokeep.steps.step import Clock, logger, step

if TYPE_CHECKING:
    from aerokeep.model.metric import Datum

ANSWER_S = 30
"""From the execution's start: the alarms want a value a minute, and a host that takes longer has given none."""


class Input(Wire):
    """The rounds of this execution."""

    rounds: tuple[RunRef, ...]


class Output(Wire):
    """How many values were recorded."""

    done: bool
    recorded: int = 0
    silent: tuple[str, ...] = ()
    """Nodes that neither answer nor are seen by a peer."""
    wait_s: int = LOOK_AGAIN_S


def run(
    request: Input, *, runs: Runs, catalog: Catalog, hosts: Hosts, measurements: Measurements, clock: Clock
) -> Output:
    """Record once all have answered, or there is no time left; a cluster that was taken meanwhile gets no value."""
    data: list[Datum] = []
    for run_ in request.rounds:
        round_ = runs.read(run_, "round", HealthRound)
        replies = hosts.replies(round_.asked.command_ids, round_.asked.instance_ids)
        deadline = round_.asked.asked_at + timedelta(seconds=ANSWER_S)
        good = heard(replies, deadline=deadline, now=clock())
        if good is None:
            return Output(done=False)
        if rebuilt_by(run_.cluster, catalog) is None:
            healths = {i: NodeHealth.model_validate(reply.body) for i, reply in good.items()}
            data += measure(run_.cluster, round_.nodes, healths)
    measurements.put(data, at=clock())
    silent = tuple(sorted(d.dimensions["node"] for d in data if "node" in d.dimensions and not d.value))
    logger.info("health recorded", values=len(data), silent=silent)
    return Output(done=True, recorded=len(data), silent=silent[:50])


handler = step(run)
