"""What a run keeps of a try that came to nothing."""

from aerokeep.aws.vault import Runs
from aerokeep.model.plan import Window
from aerokeep.model.recovery_point import FailedTry
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire


class Reason(Wire):
    """Why the cut of a try failed."""

    reason: str


def former_tries(run: RunRef, runs: Runs) -> tuple[FailedTry, ...]:
    """The tries before this one, in order."""
    ended = (ended_try(run.on_try(number), runs) for number in range(1, run.try_number))
    return tuple(one for one in ended if one is not None)


def ended_try(run: RunRef, runs: Runs) -> FailedTry | None:
    """How this try ended, once it did."""
    return runs.find(run, run.of_try("try"), FailedTry)


def keep_try(run: RunRef, failed: FailedTry, runs: Runs) -> None:
    """Write down how this try ended."""
    runs.write(run, run.of_try("try"), failed)


def keep_reason(run: RunRef, reason: str, runs: Runs) -> None:
    """Write down why this try's cut failed."""
    runs.write(run, run.of_try("uncut"), Reason(reason=reason))


def reason_of(run: RunRef, window: Window | None, runs: Runs) -> str:
    """Why this try came to nothing."""
    if window is not None and window.no_go_reason is not None:
        return window.no_go_reason
    cut = runs.find(run, run.of_try("uncut"), Reason)
    return "no reason was written down" if cut is None else cut.reason
