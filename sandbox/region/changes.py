"""What changes in the region by itself or by a call, told to whoever listens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["instance", "volume", "snapshot", "snapshot-set", "command", "invocation"]


@dataclass(frozen=True)
class Change:
    """A resource has entered a state."""

    kind: Kind
    resource_id: str
    state: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class Changes:
    """Everybody who wants to know."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Change], None]] = []

    def tell(self, change: Change) -> None:
        """Called where the state changes, maybe under a lock: a listener is quick and asks nothing of its teller."""
        for listener in tuple(self.listeners):
            listener(change)
