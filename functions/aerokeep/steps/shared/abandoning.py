"""Give a backup up for good: the one way for its own clean-up and for the guardian."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.errors import AerokeepError, TransientError
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.recovery_point import Abandonment, Manifest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.second_try import MOST_TRIES
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.resuming import PATIENCE_S, Resumed, after_the_lease, resume_writes
from aerokeep.steps.step import Clock, Meter, logger

LONGEST_REASON = 1000
CONFIRM_S = 12


class Abandoned(Wire):
    """What was undone."""

    committed: bool
    """True: the point had been committed before; it stays."""
    still_stopping: tuple[str, ...]
    """Instances that did not confirm that writes flow; their lease ends by itself."""
    deleted: tuple[str, ...]
    released: bool
    """False: the lock was another's by then."""


@dataclass(frozen=True)
class Abandoner:
    """All that giving up needs; a collaborator of the steps that do it."""

    runs: Runs
    points: Points
    catalog: Catalog
    hosts: Hosts
    snapshots: Snapshots
    meter: Meter
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            runs=Runs.from_environment(),
            points=Points.from_environment(),
            catalog=Catalog.from_environment(),
            hosts=Hosts.from_environment(),
            snapshots=Snapshots.from_environment(),
            meter=Meter.from_environment(),
            clock=Clock.from_environment(),
        )

    def abandon(self, held: RunRef, *, reason: str) -> Abandoned:
        """Writes first, then the point, then the lock; every part can be done twice."""
        still = self._resume(held)
        reason = reason[:LONGEST_REASON]
        standing = self.points.settle(
            held,
            Abandonment(point_id=held.point_id, execution=held.execution, abandoned_at=self.clock(), reason=reason),
        )
        committed = isinstance(standing, Manifest)
        deleted = () if committed else self._delete_snapshots(held)
        if not committed:
            self.catalog.record(held, state="abandoned", details={"reason": reason})
        return Abandoned(
            committed=committed, still_stopping=still, deleted=deleted, released=release(held, self.catalog)
        )

    def _resume(self, run: RunRef) -> tuple[str, ...]:
        """A tombstone goes to every node once a stop was intended, also where none is known to have begun.

        The lock does not tell in which try a run died: the newest one comes first, since it may still stop writes.
        """
        plan = self.runs.find(run, "plan", BackupPlan)
        if plan is None:
            return ()
        attempts = [run.on_try(number) for number in range(MOST_TRIES, 0, -1)]
        windows = [(attempt, self.runs.find(run, attempt.of_try("window"), Window)) for attempt in attempts]
        begun = [(attempt, window) for attempt, window in windows if window is not None]
        still: set[str] = set()
        for place, (attempt, window) in enumerate(begun):
            # A try that another one followed is over: hosts need only say so.
            patience_s = CONFIRM_S if place else PATIENCE_S
            until = after_the_lease(window, now=self.clock(), patience_s=patience_s)
            still |= self._resume_try(attempt, plan, until)
        return tuple(sorted(still))

    def _resume_try(self, attempt: RunRef, plan: BackupPlan, until: datetime) -> set[str]:
        try:
            resumed = resume_writes(attempt, plan, until=until, hosts=self.hosts, clock=self.clock, tombstone=True)
        except TransientError:
            raise  # worth another try before anything else is done
        except AerokeepError as error:
            # The leases end the stop by themselves; that the hosts can't be told must not keep the cluster locked.
            logger.exception("hosts could not be told to resume", reason=str(error))
            return {node.instance_id for node in plan.nodes}
        if resumed.leases_ended and self.runs.find(attempt, "evidence", Resumed) is None:
            # ResumeWrites did not come so far as to count them.
            self.meter.record(attempt.cluster, LeasesEnded=resumed.leases_ended)
        return set(resumed.unheard)

    def _delete_snapshots(self, run: RunRef) -> tuple[str, ...]:
        """Only what carries this run's tag: nothing else was made by it."""
        doomed = tuple(snapshot.id for snapshot in self.snapshots.of_run(run.run_id))
        for snapshot_id in doomed:
            self.snapshots.delete(snapshot_id)
            logger.info("snapshot deleted", snapshot_id=snapshot_id)
        return doomed
