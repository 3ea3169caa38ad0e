"""Calls of CreateSnapshots that are made, or were made, at one instant."""

from aerokeep.model.wire import Instant, Wire


class Barrier(Wire):
    """A cluster's cut, made known before its hosts are armed; or what somebody else in the account has taken."""

    run: str
    """As hosts know the try; empty for what is nobody's of ours."""
    at: Instant
    calls: int


class Ledger(Wire):
    """The barriers of all clusters that may still matter."""

    version: int = 0
    """Of the item that holds it: who writes must have read the newest one."""
    barriers: tuple[Barrier, ...] = ()
