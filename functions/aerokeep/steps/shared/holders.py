"""Who holds a cluster, and whether its execution still runs: what the guardian looks at before it acts."""

from dataclasses import dataclass
from typing import Self

from aerokeep.aws.catalog import LANES, Catalog
from aerokeep.aws.executions import Executions
from aerokeep.model.run import LockState, RunRef
from aerokeep.rules.dead_runs import Verdict, judge_lock
from aerokeep.steps.step import Clock


@dataclass(frozen=True)
class Holders:
    """A collaborator of steps that look at locks."""

    catalog: Catalog
    executions: Executions
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            catalog=Catalog.from_environment(),
            executions=Executions.from_environment(),
            clock=Clock.from_environment(),
        )

    def of_cluster(self, cluster: str) -> list[LockState]:
        """The locks of a cluster that are held."""
        return [lock for lane in LANES if (lock := self.catalog.standing(cluster, lane=lane)) is not None]

    def judge(self, lock: LockState, run: RunRef | None = None) -> Verdict:
        """Whether the run that holds a lock can still act; by the execution of ``run``, where one is named."""
        execution = (run or lock.run).execution
        return judge_lock(lock, self.executions.of_arn(execution), now=self.clock())
