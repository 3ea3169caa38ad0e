"""What is played: every journey through its shipped machine, its failures, and what comes after them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from moto.stepfunctions.responses import get_backend

from tests.crash.field import Field
from tests.crash.play import Player
from tests.crash.rows import How, Provocation, Row
from tests.permissions.plays import PLAYS, afterwards

JOBS = 3

ROWS = (
    Row("restore", "SwapVolumes", How.STOPPED),
    Row("restore", "HaltRestore", How.STOPPED, provoked=(Provocation("OpenWrites", How.KILLED_LATE),)),
)
"""Of the crash matrix: each strikes, calls the guardian, and runs the journey again."""


def names() -> list[str]:
    """The clusters of all plays."""
    return [*PLAYS, *(f"{row.journey}-{number}" for number, row in enumerate(ROWS))]


def play(field: Field) -> list[str]:
    """Play everything, side by side → what went wrong, a line each."""
    wrong: list[str] = []
    player = Player(field)

    def row(number: int, one: Row) -> Sequence[str]:
        return list(player.play(one, number).lines)

    def free(name: str, one: Callable[[], None]) -> Sequence[str]:
        try:
            one()
        except Exception as error:  # noqa: BLE001  # reported with the others
            return [f"{name}: {type(error).__name__}: {error}"]
        return []

    with ThreadPoolExecutor(JOBS, thread_name_prefix="play") as pool:
        ends = [pool.submit(free, name, partial(one, field, name)) for name, one in PLAYS.items()]
        ends += [pool.submit(row, number, one) for number, one in enumerate(ROWS)]
        for end in ends:
            wrong += end.result()
    return [*wrong, *free("afterwards", partial(afterwards, field))]


def entered(field: Field) -> dict[str, set[str]]:
    """Journey → every state that any execution has entered."""
    found: dict[str, set[str]] = {}
    for told in get_backend(field.region.account, field.region.region).state_machines:
        events = [event for execution in told.executions for event in execution.to_history_output()["events"]]
        found[str(told.name).removeprefix("aerokeep-")] = {
            str(event["stateEnteredEventDetails"]["name"]) for event in events if "stateEnteredEventDetails" in event
        }
    return found
