"""Resume writes on every node of a plan and bring the evidence home: the one way in which a write stop is ended."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from aerokeep.aws.ssm import HostReply, Hosts
from aerokeep.aws.timings import Timings
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.run import RunRef
from aerokeep.model.timing import Timing
from aerokeep.model.wire import Wire
from aerokeep.rules.timing import quiet_after_s
from aerokeep.steps.shared.listening import listen
from aerokeep.steps.step import Clock, logger

ASK_AGAIN_S = 2.0
ANSWER_S = 10
PATIENCE_S = 30
LET_GO = frozenset({"resumed", "lease_ended", "never_armed"})


class Resumed(Wire):
    """What came back, by instance id."""

    evidence: dict[str, NodeEvidence]
    let_go: tuple[str, ...]
    """Instances that said that nothing of this run holds them any more."""
    unheard: dict[str, str]
    """Instances that did not say so, with the last word from each; their lease ends by itself."""

    @property
    def leases_ended(self) -> int:
        """How many hosts let go by themselves, since nobody had told them in time."""
        return sum(told.ended_by == "lease" for told in self.evidence.values())


NOBODY = Resumed(evidence={}, let_go=(), unheard={})
"""What comes back where no host was told to stop writes."""


def after_the_lease(window: Window, *, now: datetime, patience_s: float = PATIENCE_S) -> datetime:
    """Answers are waited for until some time after T1: the hosts have let go by themselves by then."""
    return max(now, window.end_at) + timedelta(seconds=patience_s)


def resume_writes(
    request: RunRef, plan: BackupPlan, *, until: datetime, hosts: Hosts, clock: Clock, tombstone: bool
) -> Resumed:
    """Tell every host to thaw and lift, and ask again those that are still undoing.

    Args:
        request: the run, in the try whose stop is ended.
        plan: which nodes.
        until: how long answers are waited for.
        hosts: the way to them.
        clock: the controller's clock.
        tombstone: also refuse a stop of this run that is delivered later.

    """
    waiting = {node.instance_id for node in plan.nodes}
    answers: dict[str, HostReply] = {}
    while waiting and clock() < until:
        parameters = {"Run": request.stop_id, "Tombstone": "yes" if tombstone else "no"}
        commands, reached = hosts.send_where_heard("resume-writes", waiting, parameters)
        # A command may be lost, or stuck behind others on a node: whoever is not heard by then is asked once more.
        heard_until = min(until, clock() + timedelta(seconds=ANSWER_S))
        replies = listen(commands, reached, hosts=hosts, clock=clock, until=heard_until)
        answers |= replies
        waiting -= {i for i, reply in replies.items() if reply.body.get("state") in LET_GO}
        if waiting:
            time.sleep(ASK_AGAIN_S)
    if waiting:
        logger.error("write stop not confirmed as ended", instances=sorted(waiting))
    return Resumed(
        evidence={
            i: NodeEvidence.model_validate(reply.body["evidence"])
            for i, reply in answers.items()
            if reply.body.get("evidence")
        },
        let_go=tuple(sorted({node.instance_id for node in plan.nodes} - waiting)),
        unheard={i: _last_word(answers.get(i)) for i in sorted(waiting)},
    )


def _last_word(reply: HostReply | None) -> str:
    if reply is None:
        return "not reached through SSM"
    return reply.refusal or str(reply.body.get("state"))


@dataclass(frozen=True)
class Resumer:
    """Ends a scheduled write stop, and keeps what it tells of how long such things take."""

    hosts: Hosts
    timings: Timings
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(hosts=Hosts.from_environment(), timings=Timings.from_environment(), clock=Clock.from_environment())

    def end(self, request: RunRef, plan: BackupPlan, window: Window, *, tombstone: bool) -> Resumed:
        """Wait for every host until some time after its lease has ended; later runs are planned from the evidence."""
        until = after_the_lease(window, now=self.clock())
        resumed = resume_writes(request, plan, until=until, hosts=self.hosts, clock=self.clock, tombstone=tombstone)
        timing = Timing(quiet_s=quiet_after_s(window.start_at, resumed.evidence))
        if (trouble := self.timings.record(request, timing)) is not None:
            logger.warning("timing not kept", reason=trouble)
        return resumed
