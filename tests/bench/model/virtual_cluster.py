"""A cluster's write stop in the model: shipped planning, shipped cutting, and a shipped resident on every node."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aerokeep.model.cluster import WriteStop
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.plan import BackupPlan, NodePlan, VolumePlan
from aerokeep.model.survey import Clock
from aerokeep.model.timing import Timing
from aerokeep.rules.consistency import judge_consistency
from aerokeep.rules.window import FULL_HISTORY, hold_on_s, plan_lease, plan_window
from aerokeep.steps.backup import cut_snapshots
from aerokeep.steps.shared.letting_go import WORD
from aerokeep_node.clock import ClockReading

from sandbox.region.latency import LATENCIES
from tests.bench.model.calibration import Calibration, Spread
from tests.bench.model.virtual_host import MOUNT_POINT, NAMESPACE, VirtualHost, VirtualServer, Writes, shipped_code_on
from tests.bench.model.virtual_time import EPOCH_S, VirtualTime
from tests.builders import a_node_plan, a_plan, a_run

VOLUMES = 8
BEFORE_T0_S = 3.0
"""Where the model begins: hosts are armed, CutSnapshots is running and has warmed its connections."""
CLOCK_ERROR_S = 0.001
"""What chrony claims on EC2 with the Amazon Time Sync Service, rounded up."""
PUT = Spread(0.03, 0.25)
GET = Spread(0.015, 0.15)
"""S3 within a Region; nobody publishes these, so the tails are wide."""
_LATENCY = {latency.name: latency for latency in LATENCIES}
CREATE_SNAPSHOTS = _LATENCY["create_snapshots_s"]
SSM_DELIVERY = _LATENCY["ssm_delivery_s"]


@dataclass(frozen=True)
class Outcome:
    """One modelled write stop."""

    write_stop_s: float
    """From the first guard on any node to the last lift on any node."""
    floor_s: float
    """What it could not be shorter than: the proof that everything is flushed, and the slowest cut of this very run."""
    label: str
    reasons: tuple[str, ...]
    evidence: Mapping[str, NodeEvidence]


def run_once(
    nodes: int,
    *,
    seed: int,
    settings: WriteStop,
    calibration: Calibration,
    early: bool,
    history: Sequence[Timing] = (),
) -> Outcome:
    """Stop writes, cut, let go.

    Args:
        nodes: how many.
        seed: everything that is drawn follows from it.
        settings: the operator's.
        calibration: how quick hosts are.
        early: the word to let go is put; without it only the leases end the stop.
        history: what earlier runs have measured; the lease is planned from it.

    """
    chance, clock = random.Random(f"{seed}/{nodes}"), VirtualTime()  # noqa: S311 - a seed makes runs alike
    plan = _plan(nodes)
    lease = plan_lease(settings, history=history, nodes=nodes)
    window = plan_window(lease, now=clock.now(), lead_s=BEFORE_T0_S, token="0" * 32)
    reading = ClockReading("chronyc", True, 0.0, CLOCK_ERROR_S, EPOCH_S)
    window = window.model_copy(update={"hold_on_s": hold_on_s([Clock.model_validate(reading.as_json())])})
    cutter = VirtualCutter(clock, random.Random(f"{seed}/{nodes}/cuts"))  # noqa: S311 - as above
    vault = VirtualVault(clock, chance, {"plan": plan, "window": window})
    writes = Writes([node.node_id for node in plan.nodes])
    with ExitStack() as stack:
        stack.enter_context(shipped_code_on(clock, calibration, chance, reading))
        stack.enter_context(patch.object(cut_snapshots, "time", clock))
        stack.enter_context(patch.object(cut_snapshots, "ThreadPoolExecutor", clock.ThreadPoolExecutor))
        stack.enter_context(patch.object(cut_snapshots, "wait", clock.wait_for_futures))
        hosts = {
            node.instance_id: VirtualHost(
                VirtualServer(node.node_id, clock, calibration, chance, writes),
                node_id=node.node_id,
                token=window.token,
                window_s=(window.start_at.timestamp(), window.end_at.timestamp()),
                reading=reading,
            )
            for node in plan.nodes
        }
        there = (lambda: WORD in vault.objects) if early else None
        living = [clock.spawn(partial(host.live, there, lambda: GET.draw(chance))) for host in hosts.values()]
        cutting = clock.spawn(lambda: cut_snapshots.run(a_run(), **vault.collaborators(cutter, clock.now)))
        clock.run()
    clock.wait([*living, cutting])
    evidence = {instance_id: NodeEvidence.model_validate(host.evidence) for instance_id, host in hosts.items()}
    label = judge_consistency(plan, cut=vault.objects["cut"], evidence=evidence)
    assert label.write_stop_s is not None
    quiet = max(max(seen.times.flushed or 0.0, seen.times.frozen or 0.0) for seen in evidence.values())
    begun = min(seen.times.guard_sent or 0.0 for seen in evidence.values())
    return Outcome(
        write_stop_s=label.write_stop_s,
        floor_s=quiet - begun + cutter.slowest_s,
        label=str(label.consistency),
        reasons=label.reasons,
        evidence=evidence,
    )


def _plan(nodes: int) -> BackupPlan:
    """The plan of a cluster whose data lies on one filesystem over eight volumes of each node."""
    made = tuple(
        a_node_plan(number, volumes=_volumes(number), freeze=(MOUNT_POINT,), frozen_namespaces=(NAMESPACE,))
        for number in range(1, nodes + 1)
    )
    return a_plan(namespaces=(NAMESPACE,)).model_copy(update={"nodes": made})


def _volumes(number: int) -> tuple[VolumePlan, ...]:
    first = a_node_plan().volumes[0]
    return tuple(first.model_copy(update={"volume_id": f"vol-{number}-{volume}"}) for volume in range(VOLUMES))


def measured_before(nodes: int) -> tuple[Timing, ...]:
    """What a hundred earlier runs of the same cluster would have left in the catalog."""
    chance = random.Random(f"history/{nodes}")  # noqa: S311 - a seed makes runs alike
    slowest = (max(CREATE_SNAPSHOTS.draw(chance) for _ in range(nodes)) for _ in range(FULL_HISTORY))
    return tuple(Timing(slowest_cut_s=seconds) for seconds in slowest)


class VirtualCutter:
    """CreateSnapshots that takes as long as the latency model says."""

    def __init__(self, clock: VirtualTime, chance: random.Random) -> None:
        self._clock, self._chance = clock, chance
        self.slowest_s = 0.0

    def prepare(self, instance_ids: Sequence[str], *, may_go_on: Callable[[], bool]) -> None:
        """The connections are open before the model begins."""

    def warm(self, instance_id: str) -> None:
        """They are used once more."""

    def cut(self, node: NodePlan, *, tags: Mapping[str, str]) -> Mapping[str, str]:
        """One set."""
        del tags
        seconds = CREATE_SNAPSHOTS.draw(self._chance)
        self.slowest_s = max(self.slowest_s, seconds)
        self._clock.sleep(seconds)
        return {volume_id: f"snap-{volume_id}" for volume_id in node.volume_ids}


class VirtualVault:
    """The objects of the run, and all else that CutSnapshots is given."""

    def __init__(self, clock: VirtualTime, chance: random.Random, objects: dict[str, Any]) -> None:
        self.objects = objects
        self._clock, self._chance = clock, chance

    def read(self, _run: object, name: str, _kind: type) -> Any:  # noqa: ANN401 - as it was written
        """Read before the window: it costs the write stop nothing."""
        return self.objects[name]

    def find(self, _run: object, name: str, _kind: type) -> Any:  # noqa: ANN401 - as it was written
        """Like `read`."""
        return self.objects.get(name)

    def write(self, _run: object, name: str, value: Any) -> None:  # noqa: ANN401 - whatever it is
        """It can be read once the request has ended."""
        self._clock.sleep(PUT.draw(self._chance))
        self.objects[name] = value

    def collaborators(self, cutter: VirtualCutter, now: Callable[[], datetime]) -> dict[str, Any]:
        """What the step is given."""
        catalog = SimpleNamespace(require=lambda *_, **__: None)
        return {
            "runs": self,
            "catalog": catalog,
            "timings": SimpleNamespace(record=lambda *_: None),
            "cutter": cutter,
            "snapshots": SimpleNamespace(of_try=lambda _: []),
            "clock": now,
        }
