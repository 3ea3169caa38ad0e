"""A record of every AWS and host call of our roles, and what of it touches anything."""

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.region import ApiCall
from tests.crash.field import Field

READS = ("Describe", "Get", "List", "Head")
LOOKING_VERBS = frozenset({"survey", "health"})
LOCK_AND_REPORT = frozenset({"UpdateItem", "PutItem"})
"""On the catalog: the lock, and what a run says of itself."""


@contextmanager
def recorded(field: Field, about: str) -> Iterator[list[ApiCall]]:
    """All calls of our roles within the block; several clusters may be at work, ``about`` tells which is meant."""
    calls: list[ApiCall] = []

    def see(call: ApiCall) -> None:
        if call.caller.startswith("AerokeepWorkflow"):
            calls.append(call)

    with field.region.faults.during(before=see):
        yield calls
    assert calls, f"nothing was called about {about}"


def touching(calls: list[ApiCall]) -> list[str]:
    """The calls that change something beyond the run's own notes and the lock."""
    return [told for call in calls if (told := _touch(call))]


def _touch(call: ApiCall) -> str:
    if call.action.startswith(READS):
        return ""
    match call.service, call.action:
        case "lambda", "Invoke":  # the machine's own, of its steps
            return ""
        case "dynamodb", action if action in LOCK_AND_REPORT:
            return ""
        case "s3", "PutObject" if str(call.params["Key"]).startswith("runs/"):
            return ""
        case "ssm", "SendCommand" if str(call.params["DocumentName"]).rpartition("aerokeep-")[2] in LOOKING_VERBS:
            return ""
        case _:
            return f"{call.service}:{call.action} {dict(call.params)}"
