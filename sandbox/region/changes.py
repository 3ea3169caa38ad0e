"""What changes in the region by itself or by a call, told to whoever listens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["instance", "command", "invocation"]
Event = Literal[
    "createSnapshots",
    "createSnapshot",
    "copySnapshot",
    "createVolume",
    "deleteVolume",
    "attachVolume",
    "initializeVolume",
]


@dataclass(frozen=True)
class Change:
    """A resource has entered a state."""

    kind: Kind
    resource_id: str
    state: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class End:
    """EBS has brought something to an end."""

    event: Event
    """As EBS names it in its events."""
    result: str
    """``succeeded`` or ``failed``, ``available`` or ``deleted`` of volumes."""
    resources: tuple[str, ...]
    """The ids of the snapshots, or of the volume."""
    sources: tuple[str, ...] = ()
    """Of snapshots, the volume (of a copy, the snapshot) that each of `resources` comes from."""
    cause: str = ""
    started_at: datetime
    ended_at: datetime


class Changes:
    """Everybody who wants to know."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Change | End], None]] = []

    def tell(self, change: Change | End) -> None:
        """Called where the state changes, maybe under a lock: a listener is quick and asks nothing of its teller."""
        for listener in tuple(self.listeners):
            listener(change)

    def ended(
        self,
        event: Event,
        result: str,
        *resources: str,
        sources: tuple[str, ...] = (),
        cause: str = "",
        started_at: datetime | None = None,
    ) -> None:
        """Tell of something that ends now."""
        now = datetime.now(UTC)
        self.tell(
            End(
                event=event,
                result=result,
                resources=resources,
                sources=sources,
                cause=cause,
                started_at=started_at or now,
                ended_at=now,
            )
        )
