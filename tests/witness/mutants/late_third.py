"""The controller cuts the third node later than the others, as a tool does that goes from instance to instance."""

import time
from typing import Any

from aerokeep.model.plan import NodePlan
from aerokeep.steps.backup import cut_snapshots

LATER_S = 2.5
_honest = cut_snapshots._cut_node  # noqa: SLF001  # a mutant is the module it changes


def _cut_node(node: NodePlan, *rest: Any) -> Any:  # noqa: ANN401  # as the honest one has them
    if node.node_id == "A3":
        time.sleep(LATER_S)
    return _honest(node, *rest)


vars(cut_snapshots)["_cut_node"] = _cut_node
