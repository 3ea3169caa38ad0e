"""The rows of the crash matrix: every Lambda state of a journey, times every way to be struck there."""

import json
import keyword
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

MACHINES = Path(__file__).resolve().parents[2] / "statemachines"
LAMBDA = ":lambda:invoke"


class How(StrEnum):
    """What happens in the state."""

    STOPPED = "stopped"
    """The execution is stopped at the Lambda's first AWS call; the Lambda itself goes on, as in AWS."""
    KILLED = "killed"
    """The Lambda's process dies at its first AWS call, which never happens."""
    KILLED_MIDWAY = "killed-midway"
    """The Lambda's process dies when its first change has taken effect, unheard; a state that makes none goes on."""
    KILLED_LATE = "killed-late"
    """The Lambda's process dies when all is done, before anybody hears its answer."""


@dataclass(frozen=True)
class Provocation:
    """What is done in another state to get to one that is reached only after a failure."""

    state: str
    how: How


@dataclass(frozen=True)
class Row:
    """One row, with all that must happen before its state is reached at all."""

    journey: str
    state: str
    how: How
    provoked: tuple["Provocation", ...] = ()

    @property
    def name(self) -> str:
        """As reports spell it."""
        return f"{self.journey}/{self.state}/{self.how}"


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


def rows_of(journey: str, provoked: Mapping[str, tuple[Provocation, ...]]) -> list[Row]:
    """All rows of a journey, in the order of its ASL."""
    states = list(lambda_states(machine(journey)))
    return [Row(journey, state, how, provoked.get(state, ())) for state in states for how in How]


def sampled(rows: Sequence[Row], size: int | None, seed: int) -> list[Row]:
    """A seeded sample, in order; all rows for None."""
    if size is None or size >= len(rows):
        return list(rows)
    chosen = set(random.Random(seed).sample(range(len(rows)), size))  # noqa: S311  # a sample, no secret
    return [row for number, row in enumerate(rows) if number in chosen]


def _package_of(journey: str) -> str:
    return f"{journey}_" if keyword.iskeyword(journey) else journey.replace("-", "_")


def handler_of(journey: str, state: str) -> str:
    """The handler of a state's Lambda: state = module."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
    return f"aerokeep.steps.{_package_of(journey)}.{module}.handler"
