"""The rows of the crash matrix: every Lambda state and every call that it makes, times every way to be struck."""

import json
import keyword
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

MACHINES = Path(__file__).resolve().parents[2] / "statemachines"
LAMBDA = ":lambda:invoke"


class How(StrEnum):
    """What happens in the state, or to one of its calls."""

    STOPPED = "stopped"
    """The execution is stopped at the Lambda's first AWS call; the Lambda itself goes on, as in AWS."""
    KILLED = "killed"
    """The Lambda's process dies at its first AWS call, which never happens."""
    KILLED_MIDWAY = "killed-midway"
    """The Lambda's process dies when its first change has taken effect, unheard; a state that makes none goes on."""
    KILLED_LATE = "killed-late"
    """The Lambda's process dies when all is done, before anybody hears its answer."""
    TIMED_OUT = "timed-out"
    """The Lambda hangs once its first change has taken effect (else when all is done) until its own timeout ends it.

    The time until then does not pass: the row sees the error at once.
    """
    ERROR = "error"
    """Every try of the call gets the service's internal error until that Lambda has ended; the next one is answered."""
    REFUSED = "refused"
    """The same with the service's word for a missing permission, which nobody tries again."""
    LOST = "lost"
    """The call takes effect once, and its answer is lost."""
    GONE = "gone"
    """The execution is stopped, and its Lambda dies at its first AWS call: how others are made that must be settled."""


OF_STATES = (How.STOPPED, How.KILLED, How.KILLED_MIDWAY, How.KILLED_LATE, How.TIMED_OUT)
OF_CALLS = (How.ERROR, How.REFUSED)
OF_CHANGES = (*OF_CALLS, How.LOST)


@dataclass(frozen=True)
class Provocation:
    """What is done in another state to get to one that is reached only after a failure."""

    state: str
    how: How
    action: str = ""
    """The call that is struck; empty where the whole state is."""


@dataclass(frozen=True)
class Scene:
    """One way to set a journey up, and the states that are struck in it."""

    name: str
    """Empty for the ordinary one."""
    states: tuple[str, ...]
    provoked: tuple[Provocation, ...] = ()


@dataclass(frozen=True, order=True)
class Site:
    """An AWS call that a state makes in a scene."""

    scene: str
    state: str
    action: str
    """``service.Action``, with `PRESIGNED` where a host makes it for the Lambda."""
    changes: bool


@dataclass(frozen=True)
class Row:
    """One row, with all that must happen before its state is reached at all."""

    journey: str
    state: str
    how: How
    scene: str = ""
    action: str = ""
    """The call that is struck; empty where the whole state is."""
    provoked: tuple[Provocation, ...] = ()

    @property
    def name(self) -> str:
        """As reports spell it."""
        place = f"{self.state}({self.scene})" if self.scene else self.state
        return "/".join(part for part in (self.journey, place, self.action, self.how) if part)


def machine(journey: str) -> Mapping[str, Any]:
    """The shipped ASL."""
    found: Mapping[str, Any] = json.loads((MACHINES / f"{journey}.asl.json").read_text())
    return found


def lambda_states(part: Mapping[str, Any]) -> Iterator[str]:
    """Names of the states that call a Lambda, those inside of Map and Parallel too."""
    for name, state in part.get("States", {}).items():
        if str(state.get("Resource", "")).endswith(LAMBDA):
            yield name
        for inner in (state.get("ItemProcessor"), *state.get("Branches", [])):
            if inner:
                yield from lambda_states(inner)


def states_of(journey: str, *, without: Iterable[str] = ()) -> tuple[str, ...]:
    """The Lambda states of a journey, in the order of its ASL."""
    left_out = set(without)
    return tuple(state for state in lambda_states(machine(journey)) if state not in left_out)


def rows_of(journey: str, scenes: Sequence[Scene], sites: Iterable[Site] = ()) -> list[Row]:
    """All rows of a journey: of each scene its states in the order of the ASL, and of each state its calls."""
    calls: dict[tuple[str, str], list[Site]] = {}
    for site in sorted(sites):
        calls.setdefault((site.scene, site.state), []).append(site)
    rows = []
    for scene in scenes:
        for state in scene.states:
            rows += [Row(journey, state, how, scene.name, "", scene.provoked) for how in OF_STATES]
            for site in calls.get((scene.name, state), []):
                hows = OF_CHANGES if site.changes else OF_CALLS
                rows += [Row(journey, state, how, scene.name, site.action, scene.provoked) for how in hows]
    return rows


def sampled(rows: Sequence[Row], size: int | None, seed: int) -> list[Row]:
    """A seeded sample, in order, as even over the ways to be struck as it can be; all rows for None."""
    if size is None or size >= len(rows):
        return list(rows)
    dice = random.Random(seed)  # noqa: S311  # a sample, no secret
    piles: dict[How, list[int]] = {}
    for number, row in enumerate(rows):
        piles.setdefault(row.how, []).append(number)
    for pile in piles.values():
        dice.shuffle(pile)
    turns = list(piles.values())
    dice.shuffle(turns)
    chosen: set[int] = set()
    while len(chosen) < size:
        chosen |= {pile.pop() for pile in turns[: size - len(chosen)]}
        turns = [pile for pile in turns if pile]
    return [row for number, row in enumerate(rows) if number in chosen]


def _package_of(journey: str) -> str:
    return f"{journey}_" if keyword.iskeyword(journey) else journey.replace("-", "_")


def handler_of(journey: str, state: str) -> str:
    """The handler of a state's Lambda: state = module."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
    return f"aerokeep.steps.{_package_of(journey)}.{module}.handler"
