"""The consistency of a recovery point: what its label promises, in order."""

from enum import StrEnum

from aerokeep.model.wire import Wire

_ORDER = ("crash", "node", "cluster")


class Consistency(StrEnum):
    """``cluster`` > ``node`` > ``crash``; the meaning of each stands in docs/consistency.md."""

    CRASH = "crash"
    NODE = "node"
    CLUSTER = "cluster"

    def meets(self, wanted: "Consistency") -> bool:
        """Whether a point with this label is at least as good as ``wanted``."""
        return _ORDER.index(self) >= _ORDER.index(wanted)


class Shortfall(StrEnum):
    """What the operator wants when evidence supports less than the wanted consistency."""

    ABORT = "abort"
    DEGRADE = "degrade"


class Label(Wire):
    """A label with the reasons that kept it from being higher (none for ``cluster``)."""

    consistency: Consistency
    reasons: tuple[str, ...]
    namespaces: tuple[str, ...]
    """The namespaces that the label covers."""
    write_stop_s: float | None
    """From the first guard on any node to the last lift on any node; None without a write stop."""
    tries: int = 1
    """How many tries of the write stop and the cut were needed; `write_stop_s` is that of the last one."""
