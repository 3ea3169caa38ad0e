"""What EC2 and EBS have brought to an end, told to whoever listens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Event = Literal[
    "createSnapshots",
    "createSnapshot",
    "copySnapshot",
    "createVolume",
    "deleteVolume",
    "attachVolume",
    "initializeVolume",
    "instanceState",
]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One end.

    Attributes:
        event: as EBS names it in its events; ``instanceState`` for each state that an instance enters.
        result: ``succeeded`` or ``failed``, ``available`` or ``deleted`` of volumes, an instance's new state.
        resources: the ids of the snapshots, the volume or the instance.
        sources: of snapshots, the volume (of a copy, the snapshot) that each of `resources` comes from.
        cause: why it failed.
        started_at: when it was asked for.
        ended_at: when it ended.

    """

    event: Event
    result: str
    resources: tuple[str, ...]
    sources: tuple[str, ...] = ()
    cause: str = ""
    started_at: datetime
    ended_at: datetime


class Changes(list[Callable[[Change], None]]):
    """The listeners. They are called where the change happens, at times with EC2's lock held: they return at once."""

    def tell(
        self,
        event: Event,
        result: str,
        *resources: str,
        sources: tuple[str, ...] = (),
        cause: str = "",
        started_at: datetime | None = None,
    ) -> None:
        """Tell all listeners of something that ends now."""
        now = datetime.now(UTC)
        change = Change(
            event=event,
            result=result,
            resources=resources,
            sources=sources,
            cause=cause,
            started_at=started_at or now,
            ended_at=now,
        )
        for listener in tuple(self):
            listener(change)
