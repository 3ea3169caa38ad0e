"""How long a state that is looked at again has been at it."""

from datetime import datetime

from aerokeep.aws.vault import Runs
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire


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
