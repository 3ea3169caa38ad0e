"""Play one run: arm a write stop, let everybody who could end it go, and see when writes flow again."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.cluster import MOUNT_POINT
from sandbox.database import UNIT
from sandbox.witness.ledger import read
from tests.lease.drawing import Drawn
from tests.lease.ending import LIFT_S, Flow, Metronome, flow_of
from tests.lease.lane import Lane
from tests.plane_nodes import LONG_WRITE, Result, arm, eventually, long_write

STATES = ("armed", "shortening the flush rhythm", "guarding", "freezing", "holding", "undoing")
BEFORE_T0_S = 0.15
PROVING_S = 0.35
"""After T0: all guards are set, and the proof has begun."""
AGAIN_S = 1.0
"""Writes go on so long after the end."""
CLOCK_SEEN_S = 2.0
PATIENCE_S = 40.0
POLL_S = 0.005


@dataclass(frozen=True)
class Ended:
    """What came of a run."""

    drawn: Drawn
    ended_by: str
    flow: Flow
    late_s: float | None
    """From when writes were due again until they flowed."""
    allowed_s: float
    left: tuple[str, ...]

    @property
    def is_as_meant(self) -> bool:
        """The lease lasted until T1 where it was to."""
        return not self.drawn.lasts or (self.ended_by == "lease" and self.flow.rejected > 0)

    @property
    def released(self) -> bool:
        """Writes flowed again in time, and nothing is left."""
        return self.late_s is not None and self.late_s <= self.allowed_s and not self.left

    @property
    def line(self) -> str:
        """As the programme prints it."""
        again = "never" if self.late_s is None else f"{self.late_s:+.2f}"
        words = [f"seed={self.drawn.seed}", self.drawn.words, f"ended_by={self.ended_by}"]
        words += [f"rejected={self.flow.rejected}", f"late_s={again}", f"allowed_s={self.allowed_s:.2f}"]
        words += ["" if self.released else "NOT RELEASED", *self.left]
        return " ".join(word for word in words if word)


def play(lane: Lane, drawn: Drawn, *, run: str) -> Ended:
    """Play it."""
    node = lane.node
    lane.set_clock(drawn.offset_s)
    time.sleep(CLOCK_SEEN_S)
    before = node.state()
    slow = long_write(node) if drawn.act == "long-write" and lane.whole else None
    path = f"/{LONG_WRITE}" if slow is not None else None
    try:
        with Metronome() as metronome, lane.written_to(run) as writer:
            (armed,) = arm(
                [node], run=run, lease_s=drawn.lease_s, freeze=lane.freeze, path=path, let_go=lane.silent_url
            )
            due_at = _strike(lane, drawn, armed, run)
            seen = node.evidence(run)
            time.sleep(AGAIN_S)
    finally:
        lane.plug()
        node.server.systemctl("kill", "--signal=CONT", UNIT)
        if slow is not None:
            (slow / "go").touch()
            node.shell(f"rm -r /{LONG_WRITE}")
    with writer.ledger.open() as lines:
        flow = flow_of(list(read(lines)))
    writer.ledger.unlink()
    return Ended(
        drawn=drawn,
        ended_by=seen["ended_by"],
        flow=flow,
        late_s=None if flow.again_at is None else flow.again_at - due_at,
        allowed_s=LIFT_S + metronome.longest_s,
        left=tuple(_left(lane, before)),
    )


def _left(lane: Lane, before: Result) -> list[str]:
    left = [] if lane.node.state() == before else ["SETTINGS OR MOUNTS ARE NOT AS BEFORE"]
    if lane.whole and lane.node.thaw(MOUNT_POINT):
        left.append("FROZEN")
    return left


def _strike(lane: Lane, drawn: Drawn, armed: Result, run: str) -> float:
    """Let it happen at its moment → when writes are due again at the latest."""
    start_at, end_at = float(armed["start_at"]), float(armed["end_at"])
    _wait_for(lane, drawn.moment, start_at, run)
    lane.unplug()
    match drawn.act:
        case "killed-resident":
            lane.node.shell(f"kill -KILL {_resident(lane, run)}")
        case "killed-keeper":
            lane.node.shell(f"kill -KILL $(cut -d' ' -f4 /proc/{_resident(lane, run)}/stat)")
        case "clock-step":
            lane.set_clock(drawn.offset_s + drawn.step_s)
        case "asd-hung":
            return max(end_at, _hang(lane, drawn.hung_s))
        case "long-write":
            time.sleep(max(0.0, end_at + drawn.freed_s - time.time()))
            if lane.whole:
                (lane.node.root / LONG_WRITE / "go").touch()
    return end_at


def _hang(lane: Lane, hung_s: float) -> float:
    """Let the server hang for a while → when it is back."""
    lane.node.server.systemctl("kill", "--signal=STOP", UNIT)
    time.sleep(hung_s)
    lane.node.server.systemctl("kill", "--signal=CONT", UNIT)
    return time.time()


def _wait_for(lane: Lane, moment: str, start_at: float, run: str) -> None:
    match moment:
        case "armed":
            return
        case "before-t0":
            _until(start_at - BEFORE_T0_S)
        case "guarded":
            _wait_for_state(lane, run, "guarding")
            eventually(lambda: _is_guarded(lane) or _is_over(lane, run), "guarded")
        case "proving":
            _until(start_at + PROVING_S)
        case "freezing":
            _wait_for_state(lane, run, "freezing")
        case "frozen":
            _wait_for_state(lane, run, "holding")
        case "cut":
            _wait_for_state(lane, run, "holding")
            lane.node.cut()


def _until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.time()))


def _wait_for_state(lane: Lane, run: str, state: str) -> None:
    """Wait until the lease has come so far; a freeze that waits never gets to hold."""
    wanted = STATES[STATES.index(state) :]
    if (lane.node.root / LONG_WRITE).exists() and state == "holding":
        wanted = STATES[STATES.index("freezing") :]

    def there() -> bool:
        return (lane.node.read(run, "intent.json") or {}).get("state") in wanted or _is_over(lane, run)

    _eventually(there)


def _eventually(there: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not there():
        if time.monotonic() > give_up:
            raise TimeoutError("the lease does not come so far")
        time.sleep(POLL_S)


def _is_guarded(lane: Lane) -> bool:
    return lane.node.settings("test")["reject-non-xdr-writes"] == "true"


def _is_over(lane: Lane, run: str) -> bool:
    return lane.node.read(run, "evidence.json") is not None


def _resident(lane: Lane, run: str) -> int:
    intent = lane.node.read(run, "intent.json")
    assert intent is not None
    return int(intent["resident"])
