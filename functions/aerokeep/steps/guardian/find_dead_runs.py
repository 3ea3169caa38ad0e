"""State ``FindDeadRuns``: whose locks are held by an execution that no longer runs?"""

from typing import Any

from aerokeep.aws.ssm import Configurations
from aerokeep.model.guardian import GuardianRequest
from aerokeep.model.run import LockState, RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.dead_runs import Condition, Verdict
from aerokeep.steps.shared.holders import Holders
from aerokeep.steps.shared.starting_out import parse_request
from aerokeep.steps.step import logger, step


class Input(Wire):
    """What Step Functions knows at the start."""

    request: dict[str, Any]
    """The execution input, still unchecked."""


class DeadRun(Wire):
    """A run to be settled."""

    run: RunRef
    reason: str
    """Why it counts as dead."""


class Output(Wire):
    """Every lock that is held, by how it stands."""

    dead: tuple[DeadRun, ...]
    waiting: dict[str, str]
    """Run id → what is waited for."""
    alive: tuple[str, ...]
    halted: tuple[str, ...]
    again: bool
    """Something that is waited for is due soon enough to stay for it."""
    wait_s: int


def run(request: Input, *, configurations: Configurations, holders: Holders) -> Output:
    """Judge each cluster's lock; nothing is changed.

    Raises:
        RejectedError: an unknown cluster, or an unknown or wrong field.

    """
    wanted = parse_request(GuardianRequest, request.request)
    clusters = [configurations.of_cluster(wanted.cluster).name] if wanted.cluster else [*configurations.all()]
    judged = [(lock, _judge(lock, holders)) for cluster in clusters for lock in holders.of_cluster(cluster)]

    def those(condition: Condition) -> list[tuple[RunRef, Verdict]]:
        return [(lock.run, verdict) for lock, verdict in judged if verdict.condition is condition]

    waits = [verdict.wait_s for _, verdict in those(Condition.WAITING) if verdict.wait_s is not None]
    return Output(
        dead=tuple(DeadRun(run=run, reason=verdict.reason) for run, verdict in those(Condition.DEAD)),
        waiting={run.run_id: verdict.reason for run, verdict in those(Condition.WAITING)},
        alive=tuple(run.run_id for run, _ in those(Condition.ALIVE)),
        halted=tuple(run.run_id for run, _ in those(Condition.HALTED)),
        again=bool(waits),
        wait_s=min(waits, default=0),
    )


def _judge(lock: LockState, holders: Holders) -> Verdict:
    verdict = holders.judge(lock)
    logger.info("lock judged", cluster=lock.run.cluster, run=lock.run.run_id, condition=verdict.condition)
    return verdict


handler = step(run)
