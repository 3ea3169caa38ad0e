"""State ``RelaunchNode``: launch the node again with its own interface, and see its server kept from starting."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.relaunching import Look, Relauncher
from aerokeep.steps.shared.replacing import order_of
from aerokeep.steps.step import Clock, step

LOOK_AGAIN_S = 5


def run(request: RunRef, *, runs: Runs, catalog: Catalog, relauncher: Relauncher, clock: Clock) -> Progress:
    """Looked at again until its host says that the server is masked and down; before that nothing is attached.

    Raises:
        RejectedError: a stranger has its interface or its address.
        NotReadyError: no capacity, no boot, no agent or no mask after all patience; nothing was attached.

    """
    if marked(runs, request, "starting"):
        return Progress(done=True)  # a run that goes on: its server was started before
    order = order_of(runs, request)
    look = Look(request, runs=runs, catalog=catalog, clock=clock, patience_s=order.config.replace.patience_s)
    back = relauncher.look(look, [order.node])
    if back is None:
        return Progress(done=False, wait_s=LOOK_AGAIN_S)
    runs.write(request, "returned", back[order.node.node_id])
    return Progress(done=True)


handler = step(run)
