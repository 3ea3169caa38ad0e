"""What a seed draws: where a run's writes go, how slow AWS is, how wrong clocks are, and what breaks."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.cluster import NAMESPACES
from sandbox.dataplane.plane import NodeClock
from sandbox.faults import Plan

NODES = 3
SHARES = {"quick": 0.8, "aws": 0.16, "tail": 0.04}
LEADS_S = {"quick": 12.0, "aws": 26.0, "tail": 46.0}
"""Twice what SSM may take until a command has reached its node, and a little."""
STORAGES: Mapping[str, tuple[str, ...]] = {"file": NAMESPACES[:1], "raw": NAMESPACES[1:], "both": NAMESPACES}
TWO_FAULTS = 0.25
LONGEST_OFFSET_S = 0.6
CUT = "ec2.CreateSnapshots"
Fault = dict[str, Any]
Chance = random.Random


@dataclass(frozen=True)
class Drawn:
    """One run."""

    seed: int
    storage: str
    profile: str
    lead_s: float
    lease_s: float
    clocks: tuple[NodeClock, ...]
    faults: tuple[Fault, ...]
    named: tuple[str, ...]
    """What the faults are called."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where the witness writes."""
        return STORAGES[self.storage]

    @property
    def plan(self) -> Plan | None:
        """What breaks, if anything does."""
        if not self.faults:
            return None
        return Plan.model_validate({"title": " and ".join(self.named), "faults": list(self.faults)})

    @property
    def words(self) -> str:
        """All of it in a few words."""
        clocks = "/".join(f"{clock.offset_s:+.2f}~{clock.error_s:.3f}" for clock in self.clocks)
        faults = ",".join(self.named) or "none"
        return f"storage={self.storage} latency={self.profile} lease_s={self.lease_s:g} clocks={clocks} faults={faults}"


def draw(seed: int) -> Drawn:
    """Draw a run: the same seed draws the same one."""
    chance = Chance(f"witness/{seed}")
    profile = chance.choices(list(SHARES), weights=list(SHARES.values()))[0]
    clocks = tuple(_clock(chance) for _ in range(NODES))
    names = [_fault_name(chance) for _ in range(2 if chance.random() < TWO_FAULTS else 1)]
    named = tuple(dict.fromkeys(name for name in names if name != "none"))
    return Drawn(
        seed=seed,
        storage=chance.choice(list(STORAGES)),
        profile=profile,
        lead_s=LEADS_S[profile],
        lease_s=chance.choice((4.0, 6.0, 8.0)) if profile != "tail" else 12.0,
        clocks=clocks,
        faults=tuple(FAULTS[name][1](chance) for name in named),
        named=named,
    )


def _clock(chance: Chance) -> NodeClock:
    offset_s = round(chance.uniform(-LONGEST_OFFSET_S, LONGEST_OFFSET_S), 3)
    return NodeClock(offset_s=offset_s or 0.001, error_s=round(chance.uniform(0.001, 0.02), 4))


def _fault_name(chance: Chance) -> str:
    weights = {"none": 5.0} | {name: weight for name, (weight, _) in FAULTS.items()}
    return chance.choices(list(weights), weights=list(weights.values()))[0]


def _node(chance: Chance) -> int:
    return chance.randint(1, NODES)


def _cut_call(chance: Chance, answer: str, **more: Any) -> Fault:  # noqa: ANN401  # fields of a fault
    return {"kind": "api", "call": CUT, "answer": answer, "node": _node(chance), **more}


def _slow_cut(chance: Chance) -> Fault:
    return _cut_call(chance, "slow", slow_s=round(chance.uniform(0.5, 5.0), 1))


def _slow_answer(chance: Chance) -> Fault:
    return _cut_call(chance, "slow", slow_s=round(chance.uniform(0.5, 5.0), 1), when="after")


def _step(chance: Chance) -> Fault:
    return {
        "kind": "node",
        "act": "clock_step",
        "node": _node(chance),
        "at": chance.choice(({"call": CUT}, {"document": "stop-writes", "phase": "ended"})),
        "step_s": round(chance.choice((-1, 1)) * chance.uniform(0.1, 3.0), 2),
        "synchronised": chance.random() < 0.5,
        "noticed": chance.random() < 0.5,
    }


def _bound(chance: Chance) -> Fault:
    at, error_s = {"state": "backup.StopWrites"}, round(chance.uniform(0.1, 0.8), 2)
    return {"kind": "node", "act": "clock_step", "node": _node(chance), "at": at, "error_s": error_s}


def _asd(act: str) -> Callable[[Chance], Fault]:
    def fault(chance: Chance) -> Fault:
        at = chance.choice(({"call": CUT}, {"document": "stop-writes", "phase": "ended"}))
        return {"kind": "node", "act": act, "node": _node(chance), "at": at}

    return fault


def _killed(state: str) -> Callable[[Chance], Fault]:
    def fault(chance: Chance) -> Fault:
        return {"kind": "lambda", "state": f"backup.{state}", "killed": chance.choice(("before", "midway", "after"))}

    return fault


def _command(document: str, fate: str, **more: Any) -> Callable[[Chance], Fault]:  # noqa: ANN401  # fields of a fault
    return lambda chance: {"kind": "command", "document": document, "fate": fate, "node": _node(chance), **more}


def _stopped(chance: Chance) -> Fault:
    return {"kind": "stop", "state": f"backup.{chance.choice(('StopWrites', 'CutSnapshots', 'ResumeWrites'))}"}


def _slow_catalog(chance: Chance) -> Fault:
    slow = {"answer": "slow", "slow_s": round(chance.uniform(0.5, 3.0), 1), "state": "backup.CutSnapshots"}
    return {"kind": "api", "call": "dynamodb.GetItem", **slow}


FAULTS: Mapping[str, tuple[float, Callable[[Chance], Fault]]] = {
    "lost-answer": (2, lambda chance: _cut_call(chance, "lost")),
    "slow-cut": (3, _slow_cut),
    "slow-answer": (2, _slow_answer),
    "throttled-cut": (1, lambda chance: _cut_call(chance, "throttle")),
    "throttled-command": (1, lambda _: {"kind": "api", "call": "ssm.SendCommand", "answer": "throttle", "first": 2}),
    "late-command": (1, _command("stop-writes", "late", late_s=20)),
    "double-command": (1, _command("stop-writes", "twice")),
    "lost-resume": (1, _command("resume-writes", "lost")),
    "clock-step": (3, _step),
    "clock-bound": (2, _bound),
    "asd-restart": (1, _asd("asd_restart")),
    "asd-crash": (1, _asd("asd_crash")),
    "dead-agent": (
        1,
        lambda chance: {"kind": "agent", "node": _node(chance), "at": {"state": "backup.StopWrites"}, "for_s": 12},
    ),
    "slow-snapshot": (1, lambda chance: {"kind": "snapshot", "fate": "slow", "node": _node(chance), "pending_s": 4}),
    "slow-catalog": (2, _slow_catalog),
    "killed-stop": (1, _killed("StopWrites")),
    "killed-cut": (1, _killed("CutSnapshots")),
    "killed-resume": (1, _killed("ResumeWrites")),
    "stopped-execution": (1, _stopped),
}
"""Name → how often, and how it is drawn."""
