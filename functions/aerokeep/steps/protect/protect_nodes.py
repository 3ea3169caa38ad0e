"""State ``ProtectNodes``: keep what a dead instance would take with it, and write the inventory and the alarms."""

from pydantic import Field

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Inventories, Runs
from aerokeep.model.inventory import Inventory
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.inventory import carried_over
from aerokeep.steps.protect.survey_nodes import Answered
from aerokeep.steps.shared.asking import LOOK_AGAIN_S
from aerokeep.steps.shared.capturing import Captured
from aerokeep.steps.shared.protecting import Protected, Protector
from aerokeep.steps.shared.yielding import require_quiet
from aerokeep.steps.step import Clock, Meter, step


class Output(Wire):
    """What is protected, and what is not."""

    done: bool
    nodes: int = 0
    unprotected: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Node-id → why something of it would be lost; the whole list stands in the inventory."""
    alarms_put: int = 0
    alarms_deleted: int = 0
    wait_s: int = LOOK_AGAIN_S


MOST_REASONS = 5
MOST_NODES_TOLD = 20


def run(
    request: RunRef,
    *,
    runs: Runs,
    catalog: Catalog,
    protector: Protector,
    inventories: Inventories,
    clock: Clock,
    meter: Meter,
) -> Output:
    """Looked at again until every node that answered is done.

    Raises:
        ConflictError: the cluster is being put together meanwhile.

    """
    answered = runs.read(request, "answered", Answered)
    captured = {node.node_id: node.files for node in runs.read(request, "captured", Captured).nodes}
    former = inventories.newest(request.cluster)
    conf = {node.node_id: node.conf for node in former.nodes} if former else {}

    def may_change() -> None:
        require_quiet(request.cluster, catalog)

    protected = protector.look(
        request,
        answered.surveys,
        runs.find(request, "protected", Protected) or Protected(),
        conf={**conf, **captured},
        may_change=may_change,
        clock=clock,
    )
    runs.write(request, "protected", protected)
    if protected.nodes.keys() < answered.surveys.keys():
        return Output(done=False)
    here = sorted(protected.nodes.values(), key=lambda node: node.node_id)
    without = {node_id.upper() for node_id in answered.forget} | {node.node_id for node in here}
    absent = carried_over(former, without=without, now=clock())
    inventory = Inventory(cluster=request.cluster, run_id=request.run_id, taken_at=clock(), nodes=(*here, *absent))
    may_change()
    inventories.write(inventory)
    put, deleted = protector.sync_alarms(inventory, now=clock())
    unprotected = {node.node_id: node.unprotected for node in here if node.unprotected}
    meter.record(request.cluster, NodesProtected=len(here), NodesUnprotected=len(unprotected))
    told = dict(list(unprotected.items())[:MOST_NODES_TOLD])
    return Output(
        done=True,
        nodes=len(here),
        unprotected={node_id: reasons[:MOST_REASONS] for node_id, reasons in told.items()},
        alarms_put=put,
        alarms_deleted=deleted,
    )


handler = step(run)
