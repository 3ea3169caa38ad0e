"""Whatever the clocks, errors and delays: ``cluster`` is only given if, in hidden true time, it is so."""

from dataclasses import dataclass

from aerokeep.model.consistency import Consistency
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.recovery_point import Cut
from aerokeep.rules.consistency import judge_consistency
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.builders import a_clock, a_cut, a_plan, an_evidence

NODES = 3


def grid(low: float, high: float) -> st.SearchStrategy[float]:
    """Instants on a coarse grid: with clocks at the ends of their bounds, near misses become common."""
    return st.integers(round(low * 50), round(high * 50)).map(lambda n: n / 50)


# Drawn around a good run, where the rule has to decide; far from it everything is refused and nothing is learnt.
guards = grid(-0.1, 0.4)
settles = grid(0.3, 0.8)
requests = grid(0.8, 1.8)
writes = grid(-1, 6)
delays = grid(0, 0.4)
offsets = grid(-3, 3)
errors = st.sampled_from((0.02, 0.1, 0.3))
unit = st.sampled_from((-1.0, 0.0, 1.0))


@dataclass(frozen=True)
class TrueStop:
    """What really happened on one node, in true seconds after noon."""

    guarded: float
    settle_started: float
    flushed: float
    frozen: float
    thaw_started: float
    lift_started: float


@dataclass(frozen=True)
class World:
    """Three nodes with their stops, their cuts, and clocks that err within the bounds they state."""

    stops: tuple[TrueStop, ...]
    cuts: tuple[tuple[float, float], ...]
    evidence: dict[str, NodeEvidence]
    seen_cut: Cut
    controller_error_s: float


@st.composite
def stops(draw: st.DrawFn) -> TrueStop:
    guarded = draw(guards)
    settle_started = max(guarded, draw(settles))
    flushed = settle_started + draw(delays)
    frozen = flushed + draw(delays)
    thaw_started = frozen + draw(grid(0.4, 3))
    return TrueStop(guarded, settle_started, flushed, frozen, thaw_started, thaw_started + draw(delays))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    happened = tuple(draw(stops()) for _ in range(NODES))
    due = draw(requests)
    begins = [due + draw(delays) / 4 for _ in range(NODES)]
    cuts = tuple((begin, begin + draw(delays)) for begin in begins)
    evidence = {f"i-{n + 1}": _as_recorded(draw, n + 1, happened[n]) for n in range(NODES)}
    controller_error_s = draw(errors)
    controller_s = draw(unit) * controller_error_s
    seen_cut = a_cut({f"i-{n + 1}": (b + controller_s, e + controller_s) for n, (b, e) in enumerate(cuts)})
    return World(happened, cuts, evidence, seen_cut, controller_error_s)


def _as_recorded(draw: st.DrawFn, number: int, stop: TrueStop) -> NodeEvidence:
    """The host's clock is off by ``offset``, wanders a little in the window, and both readings err within bounds."""
    error_s = draw(errors)
    offset = draw(offsets)
    wander = draw(unit) * error_s / 8
    # Each reading keeps a part of its bound for the wander that follows it, as chrony's bound does.
    first = a_clock(offset_s=offset + draw(unit) * error_s * 3 / 4, error_s=error_s)
    last = a_clock(offset_s=offset + wander + draw(unit) * error_s * 3 / 4, error_s=error_s)

    def stamp(true_s: float) -> float:
        return true_s + offset + wander / 2

    lifted = stamp(stop.lift_started) + 0.01
    return an_evidence(
        number,
        nodes=NODES,
        clocks=(first, last),
        times={
            "guard_sent": stamp(stop.guarded) - 0.01,
            "guarded": stamp(stop.guarded),
            "settle_started": stamp(stop.settle_started),
            "flushed": stamp(stop.flushed),
            "frozen": stamp(stop.frozen),
            "thaw_started": stamp(stop.thaw_started),
            "thawed": stamp(stop.lift_started),
            "lift_started": stamp(stop.lift_started),
            "lifted": lifted,
        },
    )


def survives(world: World, write_s: float, nodes: tuple[int, ...]) -> bool | None:
    """Is a write of that instant on those nodes' snapshots: True, False, or None where it is left to chance."""
    inside: list[bool | None] = []
    for n in nodes:
        stop, (requested, responded) = world.stops[n], world.cuts[n]
        if write_s <= stop.settle_started and stop.frozen <= requested:
            inside.append(True)
        elif write_s > responded:
            inside.append(False)
        else:
            inside.append(None)
    return inside[0] if len(set(inside)) == 1 else None


@settings(max_examples=600, deadline=None)
@given(worlds(), writes, st.integers(0, NODES - 1), st.integers(0, NODES - 1))
def test_cluster_is_only_given_if_no_write_can_be_lost_or_come_from_after(
    world: World, write_s: float, master: int, replica: int
) -> None:
    label = judge_consistency(
        a_plan(nodes=NODES), cut=world.seen_cut, evidence=world.evidence, controller_error_s=world.controller_error_s
    )
    event(label.consistency)
    if label.consistency is not Consistency.CLUSTER:
        return
    first_request = min(begin for begin, _ in world.cuts)
    last_response = max(end for _, end in world.cuts)
    last_guard = max(stop.guarded for stop in world.stops)
    for stop in world.stops:
        assert stop.guarded <= first_request
        assert stop.settle_started >= last_guard
        assert stop.frozen <= first_request
        assert stop.thaw_started >= last_response
    stopped = world.stops[master].guarded <= write_s <= world.stops[master].lift_started
    if not stopped:
        assert survives(world, write_s, (master, replica)) is (write_s < first_request)


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_node_is_only_given_if_every_filesystem_was_frozen_around_its_own_cut(world: World) -> None:
    label = judge_consistency(
        a_plan(nodes=NODES), cut=world.seen_cut, evidence=world.evidence, controller_error_s=world.controller_error_s
    )
    event(label.consistency)
    if label.consistency is Consistency.CRASH:
        return
    for stop, (requested, responded) in zip(world.stops, world.cuts, strict=True):
        assert stop.frozen <= requested
        assert stop.thaw_started >= responded


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[offsets] * NODES), grid(0.02, 0.04))
def test_cluster_is_reachable_whatever_the_offsets_if_they_are_known(
    offset_s: tuple[float, ...], error_s: float
) -> None:
    evidence = {
        f"i-{n + 1}": an_evidence(
            n + 1,
            clock=a_clock(offset_s=offset_s[n], error_s=error_s),
            times={
                name: at + offset_s[n]
                for name, at in {
                    "guard_sent": 0.0,
                    "guarded": 0.1,
                    "settle_started": 0.3,
                    "flushed": 0.6,
                    "frozen": 0.7,
                    "thaw_started": 3.0,
                    "lift_started": 3.1,
                    "lifted": 3.2,
                }.items()
            },
        )
        for n in range(NODES)
    }
    cut = a_cut({"i-1": (1, 2), "i-2": (1, 2), "i-3": (1, 2)})
    assert judge_consistency(a_plan(nodes=NODES), cut=cut, evidence=evidence).consistency is Consistency.CLUSTER
