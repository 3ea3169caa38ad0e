"""The mutations: each breaks the product or its world in one way, and says who has to show it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox.dataplane.plane import NodeClock
from tests.witness.drawing import CUT, Drawn
from tests.witness.lane import ORDINARY, Lane
from tests.witness.mutating import mutated_controller, mutated_hosts
from tests.witness.play import Beside, Outcome, play
from tests.witness.staging import stagger

WITNESS, EVIDENCE = "witness", "evidence"
BETWEEN_VOLUMES_S = 1.5
TRIES = 3
Break = Callable[[Lane], AbstractContextManager[None]]


@dataclass(frozen=True)
class Mutation:
    """One way to break it."""

    name: str
    what: str
    breaks: Break
    run: Drawn
    catch: str = WITNESS
    """Who catches it: the witness, which refutes the forged label; or the evidence, which supports no such label."""
    beside: Beside | None = None
    frozen: bool = False
    """It shows only where filesystems are frozen and cut as on EC2."""
    own_clocks: bool = False
    """It shows only where nodes have clocks of their own."""
    alone: bool = False
    """It breaks what all clusters of a region share."""

    def is_caught(self, outcome: Outcome) -> bool:
        """Whether it was: what is not one instant of the cluster is either called so and refuted, or not called so."""
        if outcome.judgement is None or not outcome.judgement.refutes_cluster:
            return False  # nothing was wrong with the point: there was nothing to catch
        return (outcome.label == "cluster") is (self.catch == WITNESS)


def _run(**changes: Any) -> Drawn:  # noqa: ANN401  # fields of a run
    fields: dict[str, Any] = {
        "seed": 0,
        "storage": "both",
        "profile": "quick",
        "lead_s": 8.0,
        "lease_s": 8.0,
        "clocks": (ORDINARY,) * 3,
        "faults": (),
        "named": (),
    }
    return Drawn(**{**fields, **changes})


def _slow_cut(node: int, slow_s: float) -> Mapping[str, Any]:
    fault = {"kind": "api", "call": CUT, "answer": "slow", "node": node, "slow_s": slow_s}
    return {"faults": (fault,), "named": ("slow-cut",)}


def _host(name: str) -> Break:
    return lambda lane: mutated_hosts(lane, name)


def _nothing(_: Lane) -> AbstractContextManager[None]:
    return nullcontext()


@contextmanager
def _volumes_apart(lane: Lane) -> Iterator[None]:
    """Let the first volume of a set be cut when AWS says so, and each next one later, whatever has been answered."""
    plane = lane.site.plane
    honest, timers = plane.cut, []

    def cut(instance_id: str, members: Mapping[str, str]) -> None:
        if instance_id not in lane.cluster.members:
            honest(instance_id, members)
            return
        (first, *later) = members.items()
        honest(instance_id, dict([first]))
        for place, (volume_id, snapshot_id) in enumerate(later, start=1):
            one = partial(honest, instance_id, {volume_id: snapshot_id})
            timers.append(threading.Timer(BETWEEN_VOLUMES_S * place, one))
            timers[-1].start()

    plane.cut = cut  # type: ignore[method-assign]  # the world is what is broken here
    try:
        yield
        for timer in timers:
            timer.join()
    finally:
        plane.cut = honest  # type: ignore[method-assign]  # the same


MUTATIONS = (
    Mutation("no-guard", "no node is guarded", _host("no_guard"), _run()),
    Mutation("one-unguarded", "one node is not guarded", _host("one_unguarded"), _run()),
    Mutation("no-flush-wait", "nobody waits for buffers", _host("no_flush"), _run(storage="file"), frozen=True),
    Mutation("no-freeze", "nothing is frozen", _host("no_freeze"), _run(storage="file"), frozen=True),
    Mutation("early-thaw", "hosts let go before the cut has returned", _host("early_thaw"), _run()),
    Mutation(
        "clocks-apart",
        "the clock of one node is 2 s slow, and it swears to 2 ms",
        _nothing,
        _run(clocks=(ORDINARY, ORDINARY, NodeClock(offset_s=-2.0, error_s=0.002, reported_offset_s=0.0))),
        catch=EVIDENCE,
        own_clocks=True,
    ),
    Mutation(
        "short-lease",
        "the lease ends before the slowest cut",
        _nothing,
        _run(lease_s=3.0, **_slow_cut(3, 4.5)),
        catch=EVIDENCE,
    ),
    Mutation("volumes-apart", "the volumes of a set are cut one after another", _volumes_apart, _run()),
    Mutation(
        "own-cut",
        "the label looks at each node's own cut, and the third one is cut later",
        mutated_controller,
        _run(lead_s=10.0, lease_s=14.0),
        beside=stagger,
        alone=True,
    ),
)


@dataclass(frozen=True)
class Tried:
    """What came of a mutation."""

    name: str
    caught: bool
    catch: str
    words: str

    @property
    def line(self) -> str:
        """As the programme prints it."""
        verdict = f"caught by the {self.catch}" if self.caught else "NOT CAUGHT"
        return f"mutation={self.name} {verdict}: {self.words}"


def mutation_named(name: str) -> Mutation:
    """Find it."""
    return next(mutation for mutation in MUTATIONS if mutation.name == name)


def try_mutation(lane: Lane, mutation: Mutation, *, name: str) -> Tried:
    """Play it, again if nothing came of it that could be caught: no false label, or nothing wrong with the point."""
    words = ""
    for number in range(TRIES):
        # Later cuts are planned from how long this cluster took: what breaks only the timing would be healed by that.
        lane.site.forget_timings(lane.name)
        with mutation.breaks(lane):
            outcome = play(lane, mutation.run, name=f"{name}-{number}", beside=mutation.beside)
        words = _words(mutation, outcome)
        if mutation.is_caught(outcome):
            return Tried(mutation.name, True, mutation.catch, words)
        if mutation.catch == EVIDENCE and outcome.refuted:
            break
    return Tried(mutation.name, False, mutation.catch, words)


def _words(mutation: Mutation, outcome: Outcome) -> str:
    found = outcome.judgement
    judged = f"lost={found.lost} after_cut={found.after_cut} holes={found.holes}" if found else "no point"
    because = f"; because: {outcome.reasons[0]}" if outcome.reasons else ""
    return f"{mutation.what}: label={outcome.label} {judged}{because}"
