"""Have hosts run the jobs of a transfer: each look takes in what they say, and orders what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ExportPolicy
from aerokeep.model.errors import AerokeepError
from aerokeep.model.run import RunRef
from aerokeep.model.transfer import Job, JobStatus, PartState, Runner, Transfer
from aerokeep.model.transfer_order import Kind, PartOrder, TransferOrder
from aerokeep.rules import transfer as rules
from aerokeep.steps.shared.asking import Progress, host_error
from aerokeep.steps.shared.rounds import NOT_NOW
from aerokeep.steps.step import Clock, logger

VERBS: Mapping[Kind, str] = {
    Kind.ESTIMATE: "export",
    Kind.EXPORT: "export",
    Kind.IMPORT: "import",
    Kind.VERIFY: "import",
}
HELD = 4
"""The host program's exit code where another run's job lives on the host."""
TOKEN_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be done by one kind of job."""

    kind: Kind
    parts: tuple[PartOrder, ...]
    runners: Sequence[Runner]
    """The best first."""
    width: int
    policy: ExportPolicy
    order: TransferOrder
    """What all orders have in common; parts, token and what depends on the runner are filled in."""
    last: frozenset[str] = frozenset()
    """Parts that begin when all others are done."""


@dataclass(frozen=True, kw_only=True)
class Transferrer:
    """All that following jobs needs; a collaborator of the steps that do it."""

    runs: Runs
    catalog: Catalog
    hosts: Hosts
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            runs=Runs.from_environment(),
            catalog=Catalog.from_environment(),
            hosts=Hosts.from_environment(),
            clock=Clock.from_environment(),
        )

    def look(self, run: RunRef, wanted: Wanted) -> Transfer:
        """One look: whatever it sends stands in the vault before, so that a look that dies is found out by the next.

        Raises:
            AerokeepError: a host refused for good, or the parts can't all be done.

        """
        known = self.runs.find(run, key_of(wanted.kind), Transfer)
        state = known or rules.begin(wanted.parts, epoch=run.epoch, now=self.clock())
        state = rules.go_on(state, epoch=run.epoch, now=self.clock())
        refusals: list[AerokeepError] = []
        for job in state.jobs:
            try:
                state = self._hear(state, job)
            except AerokeepError as refusal:
                refusals.append(refusal)
                state = rules.refuse(state, job)
        state = rules.give_up_silent(state, wanted.policy, now=self.clock())
        instances = [runner.instance_id for runner in wanted.runners]
        # Written before it is judged: a run that goes on after a failure must know what has been done.
        self.runs.write(run, key_of(wanted.kind), state)
        if refusals:
            raise refusals[0]
        rules.require_hope(state, wanted.policy, instances, now=self.clock())
        state = rules.assign(
            state,
            instances,
            width=wanted.width,
            last=wanted.last,
            token=lambda: token_hex(TOKEN_BYTES),
            now=self.clock(),
        )
        self.runs.write(run, key_of(wanted.kind), state)
        return self._ask(run, wanted, state)

    def _hear(self, state: Transfer, job: Job) -> Transfer:
        if not job.commands:
            return state
        reply = self.hosts.replies(job.commands, [job.runner])[job.runner]
        match reply.state:
            case CommandState.RUNNING:
                return state
            case CommandState.LOST:
                return rules.command_lost(state, job, f"the command got lost ({reply.status})")
            case CommandState.ANSWERED if reply.refusal is None:
                return rules.heard(state, job, JobStatus.model_validate(reply.body), now=self.clock())
            case CommandState.ANSWERED:
                return _refused(state, job, reply)

    def _ask(self, run: RunRef, wanted: Wanted, state: Transfer) -> Transfer:
        for job in state.jobs:
            if job.commands:
                continue
            self.catalog.require(run)
            verb, parameters = ("status", {"Run": run.run_id}) if job.begun else self._order(run, wanted, state, job)
            sent, _ = self.hosts.send_where_heard(verb, [job.runner], parameters)
            asked = job.model_copy(update={"commands": tuple(sent)})
            state = state.model_copy(
                update={"jobs": tuple(asked if other.token == job.token else other for other in state.jobs)}
            )
        self.runs.write(run, key_of(wanted.kind), state)
        return state

    def _order(self, run: RunRef, wanted: Wanted, state: Transfer, job: Job) -> tuple[str, dict[str, str]]:
        tried = {part.name: part for part in state.parts}
        parts = [part for part in wanted.parts if part.name in job.parts]
        order = wanted.order.model_copy(
            update={
                "token": job.token,
                "parts": tuple(p.model_copy(update={"skip": tried[p.name].files_done}) for p in parts),
                **_of_runner(wanted, job.runner),
            }
        )
        name = f"order-{job.token}"
        self.runs.write(run, name, order.document())
        logger.info("job ordered", kind=wanted.kind, runner=job.runner, parts=job.parts)
        return VERBS[wanted.kind], {"Run": run.run_id, "Spec": self.runs.presigned_read(run, name)}

    def cancel(self, run: RunRef, instance_ids: Iterable[str]) -> list[str]:
        """Tell hosts to end the run's jobs, and never to begin one for it → command ids; nobody is waited for."""
        commands, _ = self.hosts.send_where_heard("cancel", instance_ids, {"Run": run.run_id})
        return commands

    def ordered_from(self, run: RunRef) -> set[str]:
        """Every host that may have a job of this run."""
        found: set[str] = set()
        for kind in Kind:
            state = self.runs.find(run, key_of(kind), Transfer)
            if state is not None:
                found |= {job.runner for job in state.jobs} | set(state.lost)
        return found


class Travelled(Progress):
    """How far a transfer is, for whoever watches the execution."""

    parts: int
    parts_done: int
    percent: float
    records_per_second: float
    remaining_s: float | None
    """The longest that a host expects; None where none tells."""


def travelled(transfer: Transfer, *, wait_s: int) -> Travelled:
    """Sum up the last words of all jobs."""
    told = [part.status for part in transfer.parts if part.status is not None and not part.done]
    running = [status for status in told if status.state is PartState.RUNNING]
    remaining = [status.remaining_s for status in running if status.remaining_s is not None]
    done = sum(part.done for part in transfer.parts)
    percent = (100 * done + sum(status.percent for status in told)) / max(len(transfer.parts), 1)
    return Travelled(
        done=transfer.done,
        wait_s=wait_s,
        parts=len(transfer.parts),
        parts_done=done,
        percent=round(percent, 1),
        records_per_second=sum(status.rate for status in running),
        remaining_s=max(remaining, default=None),
    )


def key_of(kind: Kind) -> str:
    """What the state of a kind of job is called in the vault; the same for a run that goes on after it was halted."""
    return f"transfer-{kind}"


def _of_runner(wanted: Wanted, instance_id: str) -> dict[str, object]:
    """A node asks itself first; one of a rack prefers its rack where several racks are read."""
    runner = next(runner for runner in wanted.runners if runner.instance_id == instance_id)
    changes: dict[str, object] = {}
    if runner.server is not None:
        changes["server"] = runner.server
    if wanted.width > 1 and runner.rack_id is not None:
        changes["prefer_rack"] = runner.rack_id
    return changes


def _refused(state: Transfer, job: Job, reply: HostReply) -> Transfer:
    if reply.exit_code == NOT_NOW:
        return rules.not_begun(state, job, str(reply.refusal))
    if reply.exit_code == HELD:
        return rules.lose(state, job, str(reply.refusal))
    raise host_error("transfer", reply)
