"""How old is the newest recovery point of each consistency: the values that the alarm on the point's age watches."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from aerokeep.model.consistency import Consistency
from aerokeep.model.metric import Datum
from aerokeep.model.recovery_point import PointEntry

AGE, RANK = "NewestPointAgeSeconds", "NewestPointRank"
_BEST_LAST = (Consistency.CRASH, Consistency.NODE, Consistency.CLUSTER)


def measure_ages(cluster: str, points: Iterable[PointEntry], *, now: datetime) -> Iterator[Datum]:
    """One age for each consistency that any point meets; what no point meets has no value, which is an alarm, too.

    A point is as old as its backup's start: nothing in it is older than that.

    Args:
        cluster: its name.
        points: those that exist, the newest first; no more of them are taken than are needed.
        now: the present.

    """
    lacking = list(_BEST_LAST)
    for number, point in enumerate(points):
        if not number:
            rank = _BEST_LAST.index(point.consistency) + 1
            yield Datum(name=RANK, value=rank, dimensions={"cluster": cluster})
        for wanted in [label for label in lacking if point.consistency.meets(label)]:
            lacking.remove(wanted)
            age_s = max(0.0, (now - point.started_at).total_seconds())
            yield Datum(name=AGE, value=age_s, dimensions={"cluster": cluster, "label": wanted})
        if not lacking:
            return
