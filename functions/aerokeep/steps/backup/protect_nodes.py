"""State ``ProtectNodes``: keep volumes and addresses from going with their instances, and write the inventory."""

from pydantic import Field

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.errors import known
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import AerokeepError, ConflictError
from aerokeep.model.inventory import Inventory
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.backup.discover_cluster import Surveys
from aerokeep.steps.shared.asking import LOOK_AGAIN_S
from aerokeep.steps.shared.protecting import Protected, Protector
from aerokeep.steps.step import Clock, logger, step

MOST_REASONS = 5
MOST_NODES_TOLD = 20


class Output(Wire):
    """What is protected, and what is not."""

    done: bool
    nodes: int = 0
    unprotected: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Node-id → why something of it would be lost; the whole list stands in the inventory."""
    failed: str = ""
    """Why nothing could be protected: the point is taken all the same, without an inventory."""
    wait_s: int = LOOK_AGAIN_S


def run(request: RunRef, *, runs: Runs, catalog: Catalog, protector: Protector, clock: Clock) -> Output:
    """Looked at again until every node is done. A backup does not fail for what can't be protected: it tells it.

    Raises:
        ConflictError: the lock is lost.

    """
    surveys = runs.read(request, "surveys", Surveys).surveys
    done = runs.find(request, "protected", Protected) or Protected()
    try:
        with known():
            # Its configuration files come with the point itself; CommitPoint puts them in.
            done = protector.look(
                request, surveys, done, conf={}, may_change=lambda: catalog.require(request), clock=clock
            )
    except ConflictError:
        raise
    except AerokeepError as error:
        logger.exception("nodes could not be protected", reason=str(error))
        return Output(done=True, failed=str(error))
    runs.write(request, "protected", done)
    if done.nodes.keys() < surveys.keys():
        return Output(done=False)
    nodes = tuple(sorted(done.nodes.values(), key=lambda node: node.node_id))
    inventory = Inventory(cluster=request.cluster, run_id=request.run_id, taken_at=clock(), nodes=nodes)
    runs.write(request, "inventory", inventory)
    unprotected = [(node.node_id, node.unprotected[:MOST_REASONS]) for node in nodes if node.unprotected]
    return Output(done=True, nodes=len(nodes), unprotected=dict(unprotected[:MOST_NODES_TOLD]))


handler = step(run)
