"""A CloudWatch alarm of ours, as far as two of them can be compared."""

from aerokeep.model.wire import Wire


class Alarm(Wire):
    """One metric, one threshold; no actions: EventBridge hears of every change of state (aws.md §F2)."""

    name: str
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str
    comparison: str
    threshold: float
    period_s: int
    periods: int
    """How many periods are looked at, and how many of them must be bad."""
    missing: str
