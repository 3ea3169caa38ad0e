"""Marks of how far a run is, written before the first act of a phase: whoever goes on knows what may have happened."""

from datetime import datetime
from typing import Literal

from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire

Mark = Literal["fencing", "starting", "opening", "rolling-back"]


class Marked(Wire):
    """When a phase began."""

    at: Instant


def mark(runs: Runs, run: RunRef, phase: Mark, *, now: datetime) -> None:
    """Say that a phase begins, unless it has been said."""
    if not marked(runs, run, phase):
        runs.write(run, f"mark-{phase}", Marked(at=now))


def marked(runs: Runs, run: RunRef, phase: Mark) -> bool:
    """Whether a phase of this run has begun."""
    return runs.find(run, f"mark-{phase}", Marked) is not None
