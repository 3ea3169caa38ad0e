"""Find room for a cluster's cut in the bucket that the whole account shares, and make it known to other clusters."""

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from aerokeep.aws.barriers import Barriers
from aerokeep.aws.ec2 import RUN_TAG, TRY_TAG, Snapshots
from aerokeep.model.barrier import Barrier
from aerokeep.model.errors import TransientError
from aerokeep.model.recovery_point import Snapshot
from aerokeep.model.run import RunRef
from aerokeep.rules.headroom import LOOK_BACK_S, lead_for
from aerokeep.rules.window import Lease
from aerokeep.steps.step import Clock, logger

MOST_RACES = 10
BETWEEN_RACES_S = 0.2


@dataclass(frozen=True)
class Headroom:
    """What is left of CreateSnapshots; a collaborator of the step that stops writes for a cut."""

    barriers: Barriers
    snapshots: Snapshots
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            barriers=Barriers.from_environment(),
            snapshots=Snapshots.from_environment(),
            clock=Clock.from_environment(),
        )

    def reserve(self, request: RunRef, *, calls: int, lease: Lease, lead_s: float) -> float | None:
        """Make this try's cut known → from now to its T0; None where the bucket won't hold it in time."""
        for _ in range(MOST_RACES):
            now = self.clock()
            ledger = self.barriers.read()
            own = Barrier(run=request.stop_id, at=now + timedelta(seconds=lead_s + lease.flush_s), calls=calls)
            young = now - timedelta(seconds=LOOK_BACK_S)
            announced = [barrier for barrier in ledger.barriers if barrier.at >= young and barrier.run != own.run]
            others = self._of_others({barrier.run for barrier in announced}, since=young)
            found_s = lead_for(own, [*announced, *others], now=now, lead_s=lead_s)
            if found_s is None:
                return None
            own = own.model_copy(update={"at": own.at + timedelta(seconds=found_s - lead_s)})
            if self.barriers.write(ledger.model_copy(update={"barriers": (*announced, own)})):
                if found_s > lead_s:
                    logger.warning("write stop moved, since others take snapshots", lead_s=found_s, planned_s=lead_s)
                return found_s
            time.sleep(random.uniform(0, BETWEEN_RACES_S))  # noqa: S311 - jitter, no secret
        raise TransientError("barriers_contended: the ledger of cuts was written by others all the time")

    def _of_others(self, known: set[str], *, since: datetime) -> list[Barrier]:
        """Each snapshot that was begun lately counts as a call, but for those of cuts that were made known.

        How many calls made them is not told, so it is too many rather than too few; only what is complete already is
        missed. What can't be read is not counted: the bucket is full on most days, and a refused cut is tried again.
        """
        try:
            pending = self.snapshots.pending()
        except TransientError as error:
            logger.warning("what others take of CreateSnapshots is not known", reason=str(error))
            return []
        young = (one for one in pending if one.started_at >= since and _made_by(one) not in known)
        return [Barrier(run="", at=one.started_at, calls=1) for one in young]


def _made_by(snapshot: Snapshot) -> str:
    """As hosts know the try that made it; empty for what is nobody's of ours."""
    run, number = snapshot.tags.get(RUN_TAG, ""), snapshot.tags.get(TRY_TAG, "1")
    return run if number == "1" else f"{run}-{number}"
