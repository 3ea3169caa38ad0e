"""What a host needs for each act of a write stop: drawn around what one real run of three nodes has measured."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from aerokeep.model.evidence import NodeEvidence

Z99 = 2.326


@dataclass(frozen=True)
class Spread:
    """A log-normal duration, in seconds."""

    p50_s: float
    p99_s: float

    def draw(self, chance: random.Random) -> float:
        """The next one."""
        sigma = math.log(max(self.p99_s / self.p50_s, 1.0001)) / Z99
        return self.p50_s * math.exp(sigma * chance.gauss(0.0, 1.0))


PHASES: Mapping[str, tuple[str, str]] = {
    "guard": ("guard_sent", "guarded"),
    "proof": ("settle_started", "flushed"),
    "freeze": ("flushed", "frozen"),
    "thaw and last looks": ("thaw_started", "lift_started"),
    "lift": ("lift_started", "lifted"),
}
"""What can be compared between a real host and a modelled one: from which of its instants to which."""


def phases(evidence: Mapping[str, NodeEvidence]) -> dict[str, float]:
    """The median length of each phase over all hosts, in seconds."""
    told = [
        {name: getattr(seen.times, name) for pair in PHASES.values() for name in pair} for seen in evidence.values()
    ]
    return {
        phase: median(
            times[end] - times[begin] for times in told if times[begin] is not None and times[end] is not None
        )
        for phase, (begin, end) in PHASES.items()
        if any(times[begin] is not None and times[end] is not None for times in told)
    }


@dataclass(frozen=True)
class Calibration:
    """How quick a host and its server are; the tails are wider than the real run could show."""

    ask: Spread
    """One question to the server and its answer."""
    freeze: Spread
    thaw: Spread
    aside: Spread
    """SMD and configuration copied aside."""
    drain: Spread
    """From the last guard until the last write that was under way has left the server's buffers."""


TAIL = 4.0
"""A 99th percentile, as a multiple of the median, where one run tells no more than a median."""
QUESTIONS_OF_THE_GUARD, TICK_S = 2, 0.002
FREEZE_AND_COPIES = 2
LEAST_S = 0.0005
MEASURED_THAW_S = 0.0065
"""5 to 8 ms on a real server."""
DRAIN_S = 0.02


def calibrated(measured: Mapping[str, float]) -> Calibration:
    """Take what the model is made of from the phases of a real run.

    The guard is one change and one reading back of each namespace; between the proof and the freeze the copies end.
    """
    ask_s = max(LEAST_S, measured["guard"] / QUESTIONS_OF_THE_GUARD)
    freeze_s = max(LEAST_S, measured.get("freeze", LEAST_S))

    def around(p50_s: float) -> Spread:
        return Spread(p50_s, TAIL * p50_s)

    return Calibration(
        ask=around(ask_s / FREEZE_AND_COPIES),
        freeze=around(freeze_s),
        thaw=around(MEASURED_THAW_S),
        aside=around(freeze_s / FREEZE_AND_COPIES),
        drain=around(DRAIN_S),
    )
