"""How long one try of a write stop took: what later ones of the cluster are planned from."""

from aerokeep.model.wire import Wire


class Timing(Wire):
    """The durations of one try, kept whatever became of its run; None for what was not reached."""

    slowest_cut_s: float | None = None
    """Of all CreateSnapshots of the try, the one that took longest; measured by the controller."""
    quiet_s: float | None = None
    """From T0 until the last node was flushed and frozen, or gave up trying."""
