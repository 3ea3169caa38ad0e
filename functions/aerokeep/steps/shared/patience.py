"""How long a state that is looked at again has been at it."""

from datetime import datetime
from math import ceil

from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire

LONGEST_WAIT_S = 60


AT_ONCE_S = 25
"""A look at a large cluster ends after this, well before its Lambda would; the next one goes on where it was."""


class Begun(Wire):
    """When a state was first looked at."""

    at: Instant


def since(runs: Runs, run: RunRef, what: str, *, now: datetime) -> datetime:
    """When ``what`` was first looked at; a run that goes on after it was halted has all the time again."""
    name = f"begun-{what}-{run.epoch}"
    begun = runs.find(run, name, Begun)
    if begun is None:
        begun = Begun(at=now)
        runs.write(run, name, begun)
    return begun.at


def pace_s(began_at: datetime, *, now: datetime, first_s: int = 5) -> int:
    """Seconds until the next look: the longer it has taken, the rarer; a look costs 9 of 25,000 events (aws.md §E1)."""
    return max(first_s, min(LONGEST_WAIT_S, ceil((now - began_at).total_seconds() / 20)))
