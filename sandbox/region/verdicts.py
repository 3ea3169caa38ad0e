"""What CloudWatch makes of an alarm's datapoints; pure."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When an alarm fires."""

    comparison: str
    threshold: float
    enough: int
    """So many breaching datapoints."""
    missing: str
    """``breaching``, ``notBreaching``, ``ignore`` or ``missing``."""
    young: bool
    """The alarm has not yet existed for all of its evaluation periods: what is missing says nothing."""


def judge(points: Sequence[float | None], rule: Rule) -> tuple[str | None, str]:
    """→ (state, reason); None for a state that stays as it is."""
    breaches, words = COMPARISONS[rule.comparison]
    known = [point for point in points if point is not None]
    bad = [point for point in known if breaches(point, rule.threshold)]
    absent = len(points) - len(known)
    counted = len(bad) + (absent if rule.missing == "breaching" and not rule.young else 0)
    if counted >= rule.enough:
        reason = f"Threshold Crossed: {len(bad)} datapoints {bad} were {words} the threshold ({rule.threshold})"
        return "ALARM", reason + (f" and {absent} missing datapoints were treated as [Breaching]." if absent else ".")
    if absent and rule.missing == "ignore":
        return None, ""
    if not known and rule.young:
        return None, ""
    if not known and rule.missing == "missing":
        return "INSUFFICIENT_DATA", f"Insufficient Data: {absent} datapoints were unknown."
    return "OK", f"Threshold Crossed: no more than {counted} of {len(points)} datapoints breach."
