"""The controller cuts the third node later than the others, as a tool does that goes from instance to instance."""

import time
from pathlib import Path
from typing import Any

from aerokeep.model.plan import NodePlan
from aerokeep.steps.backup import cut_snapshots

LATEST_S = 8.0
GO = Path("{go}")
"""Where whoever stages this says that it is time."""
_honest = cut_snapshots._cut_node  # noqa: SLF001  # a mutant is the module it changes


def _cut_node(node: NodePlan, *rest: Any) -> Any:  # noqa: ANN401  # as the honest one has them
    until = time.monotonic() + LATEST_S
    while node.node_id == "A3" and not GO.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return _honest(node, *rest)


vars(cut_snapshots)["_cut_node"] = _cut_node
