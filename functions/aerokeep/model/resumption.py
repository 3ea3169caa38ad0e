"""What a host tells of itself when writes are resumed on it whatever run had stopped them."""

from enum import StrEnum

from aerokeep.model.wire import HostWire


class Cause(StrEnum):
    """Why a namespace rejects writes, where no write stop of ours does it."""

    CONF = "conf"
    """Its conf says so: on purpose, as on a passive XDR destination."""
    FIRST_START = "first_start"
    """The server runs with the first-start settings of a restore."""
    CONF_UNREADABLE = "conf_unreadable"
    UNKNOWN = "unknown"
    """Set at run time, by somebody or by a run that left no trace."""


class RemainingGuard(HostWire):
    """A namespace that still rejects writes, or did until it was lifted on request."""

    namespace: str
    setting: str
    value: str
    cause: Cause
    lifted: bool


class HostResumption(HostWire):
    """The answer of one host."""

    state: str
    """``resumed``, ``nothing_to_resume``, or ``undoing``."""
    runs: dict[str, str]
    """The runs whose write stop was ended → how it stands."""
    guards: tuple[RemainingGuard, ...]
    unread: str | None
    """Why the guards could not be read."""
