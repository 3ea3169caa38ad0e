"""Ratios of one run: what grows with the size of the cluster, and what must not."""

import time
from collections.abc import Callable

from aerokeep.model.consistency import Consistency
from aerokeep.model.recovery_point import Cut, NodeCut
from aerokeep.rules.consistency import judge_consistency

from tests.builders import a_node_plan, a_plan, an_evidence, at

REPEATS = 5


def seconds(work: Callable[[], object]) -> float:
    """The quickest of some runs: the machine is shared."""
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def judged(nodes: int) -> Callable[[], Consistency]:
    plan = a_plan(nodes=nodes).model_copy(update={"nodes": tuple(a_node_plan(n) for n in range(1, nodes + 1))})
    evidence = {f"i-{n}": an_evidence(n, nodes=nodes) for n in range(1, nodes + 1)}
    cuts = tuple(
        NodeCut(instance_id=f"i-{n}", node_id=f"A{n}", requested_at=at(1), responded_at=at(2), snapshots={})
        for n in range(1, nodes + 1)
    )
    return lambda: judge_consistency(plan, cut=Cut(nodes=cuts), evidence=evidence).consistency


def test_label_rule() -> None:
    """Judging is inside no window, but 80 nodes must not take long either."""
    small, large = judged(3), judged(80)
    assert small() is large() is Consistency.CLUSTER
    few_s, many_s = seconds(small), seconds(large)
    print(f"\nbench: label_rule nodes=80 vs_3={many_s / few_s:.1f} per_node_ratio={many_s / few_s * 3 / 80:.2f}")


def test_state_size() -> None:
    """What a state carries does not grow with the cluster; what it writes to the vault may."""
    plan = a_plan(nodes=80)
    summary = len(plan.model_copy(update={"nodes": ()}).model_dump_json())
    whole = len(plan.model_dump_json())
    print(f"\nbench: plan nodes=80 vault_bytes={whole} without_nodes_bytes={summary} ratio={whole / summary:.0f}")
    assert summary < 32 * 1024
