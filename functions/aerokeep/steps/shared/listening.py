"""Wait inside a step for the answers of hosts, where seconds count."""

import time
from collections.abc import Iterable
from datetime import datetime

from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.steps.step import Clock

POLL_S = 0.5


def listen(
    command_ids: Iterable[str], instance_ids: Iterable[str], *, hosts: Hosts, clock: Clock, until: datetime
) -> dict[str, HostReply]:
    """What each host has answered when all have, or when time is up."""
    commands, expected = tuple(command_ids), frozenset(instance_ids)
    replies: dict[str, HostReply] = {}
    while True:
        replies = hosts.replies(commands, expected, known=replies)
        if all(reply.state is not CommandState.RUNNING for reply in replies.values()) or clock() >= until:
            return replies
        time.sleep(POLL_S)
