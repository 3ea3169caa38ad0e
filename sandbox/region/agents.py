"""The SSM agent of one node: whether it answers, what SSM believes of it, and what it does with commands."""

import threading
import time
from dataclasses import dataclass, field

WORKERS_PER_NODE = 5
AGENT_VERSION = "3.3.2746.0"


@dataclass
class Agent:
    """The SSM agent of one node."""

    online: bool = True
    """Nobody has taken it down on a node that works."""
    hears: bool = True
    """It picks up commands; one that does not still looks connected, and its commands wait."""
    replies: bool = True
    """What it says of a command's end reaches SSM; otherwise the command times out though it ran."""
    heeds_cancel: bool = True
    """It kills what runs when a command is cancelled; otherwise that goes on to its own end."""
    version: str = AGENT_VERSION
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WORKERS_PER_NODE))
    boots: int = 0
    registered_at: float | None = None
    up_at: float | None = None
    lost_at: float | None = None
    """On the monotonic clock; SSM notices later."""

    def boot(self, delay_s: float) -> None:
        """The node has been powered on; its agent answers in `delay_s` seconds."""
        if self.registered_at is not None and not self.registered:
            self.registered_at = None
        self.boots += 1
        self.up_at, self.lost_at = time.monotonic() + delay_s, None
        self.registered_at = self.registered_at or self.up_at

    def lose(self, delay_s: float) -> None:
        """The node has lost its power; SSM notices in `delay_s` seconds."""
        if self.up_at is not None:
            self.up_at, self.lost_at = None, time.monotonic() + delay_s

    @property
    def registered(self) -> bool:
        """SSM has heard of it."""
        return self.registered_at is not None and time.monotonic() >= self.registered_at

    @property
    def connected(self) -> bool:
        """It answers."""
        return self.online and self.up_at is not None and time.monotonic() >= self.up_at

    @property
    def listens(self) -> bool:
        """A command sent now reaches it."""
        return self.connected and self.hears

    @property
    def seems_online(self) -> bool:
        """SSM believes that it answers."""
        return self.connected or (self.online and self.lost_at is not None and time.monotonic() < self.lost_at)
