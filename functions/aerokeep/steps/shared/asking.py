"""Ask hosts and come back later: a command is started once per run, and looked at until all have answered."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from aerokeep.aws.ssm import CommandState, HostReply
from aerokeep.model.errors import AerokeepError, ConflictError, CorruptError, NotReadyError, RejectedError
from aerokeep.model.wire import Instant, Wire

LOOK_AGAIN_S = 2
HOSTS_TIMEOUT_S = 120
"""A host that has not answered a short verb by then is unreachable: delivery alone may take a minute (aws.md §J)."""

_CLASSES: Mapping[int, type[AerokeepError]] = {
    2: RejectedError,
    3: RejectedError,
    4: ConflictError,
    5: NotReadyError,
}
"""The host program's documented exit codes → our classes; anything else is a fault of the program itself."""


class Asked(Wire):
    """A verb under way on some hosts; stands in the vault between two looks."""

    command_ids: tuple[str, ...]
    instance_ids: tuple[str, ...]
    asked_at: Instant

    @property
    def deadline(self) -> datetime:
        """When waiting for answers ends."""
        return self.asked_at + timedelta(seconds=HOSTS_TIMEOUT_S)


class Progress(Wire):
    """What a step that is looked at again tells its state machine."""

    done: bool
    wait_s: int = LOOK_AGAIN_S


def settled(verb: str, replies: Mapping[str, HostReply], *, deadline: datetime, now: datetime) -> bool:
    """Whether every host has answered well.

    Raises:
        AerokeepError: a host refused (by its exit code), was lost, or is silent past the deadline.

    """
    for reply in replies.values():
        if reply.state is CommandState.ANSWERED and reply.refusal is not None:
            raise host_error(verb, reply)
    lost = sorted(r.instance_id for r in replies.values() if r.state is CommandState.LOST)
    if lost:
        raise NotReadyError(f"host_lost: {verb} did not reach {', '.join(lost)}: check the SSM agent there")
    silent = sorted(r.instance_id for r in replies.values() if r.state is CommandState.RUNNING)
    if silent and now >= deadline:
        raise NotReadyError(f"host_silent: {verb} was not answered by {', '.join(silent)}: check the SSM agent there")
    return not silent


def heard(replies: Mapping[str, HostReply], *, deadline: datetime, now: datetime) -> dict[str, HostReply] | None:
    """Those that answered well, once nobody is waited for any more; None before. No host fails the others."""
    if now < deadline and any(reply.state is CommandState.RUNNING for reply in replies.values()):
        return None
    return {i: reply for i, reply in replies.items() if reply.refusal is None}


def host_error(verb: str, reply: HostReply) -> AerokeepError:
    """The refusal of one host as one of our classes."""
    kind = _CLASSES.get(reply.exit_code, CorruptError)
    return kind(f"{reply.refusal} ({verb} on {reply.instance_id})")


def refusals(replies: Iterable[HostReply]) -> list[HostReply]:
    """Those that answered no."""
    return [reply for reply in replies if reply.state is CommandState.ANSWERED and reply.refusal is not None]
