"""The label looks whether each node was quiet around its own cut, instead of from the first cut to the last."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from aerokeep.model.consistency import Label
from aerokeep.model.plan import BackupPlan
from aerokeep.model.recovery_point import Cut, NodeCut
from aerokeep.rules import consistency

_honest = consistency.judge_consistency
_own: dict[str, NodeCut] = {}


def _covering(
    plan: BackupPlan,
    proofs: Mapping[str, consistency.Proof | str],
    *,
    first: datetime,
    last: datetime,
    error_s: float,
) -> Iterator[str]:
    del first, last
    for node in plan.nodes:
        proof, cut = proofs[node.instance_id], _own[node.instance_id]
        if isinstance(proof, consistency.Proof):
            yield from consistency._uncovered(  # noqa: SLF001  # a mutant is the module it changes
                node, proof.quiet, first=cut.requested_at, last=cut.responded_at, error_s=error_s
            )


def judge_consistency(plan: BackupPlan, *, cut: Cut, **more: Any) -> Label:  # noqa: ANN401  # as the honest one has them
    """Judge with each node's own cut."""
    _own.update({node.instance_id: node for node in cut.nodes})
    return _honest(plan, cut=cut, **more)


consistency._covering = _covering  # noqa: SLF001  # the same
consistency.judge_consistency = judge_consistency
