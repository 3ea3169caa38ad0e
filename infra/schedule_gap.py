"""How far apart two starts of a schedule can lie: what an alarm on the age of the newest point goes by."""

import datetime as dt
import itertools
import re
from collections.abc import Iterator

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}
_MONTHS = dict(
    zip(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], range(1, 13), strict=True)
)
_DAYS = dict(zip(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], range(1, 8), strict=True))
_MINUTES_A_DAY = 24 * 60
_YEARS = (dt.date(2023, 1, 1), dt.date(2025, 1, 31))
"""Long enough to hold a leap year and the turn of two years."""


def longest_gap_hours(expression: str) -> float | None:
    """Hours between two starts that are as far apart as they get; None where nobody can tell.

    Args:
        expression: a schedule expression that is known to be right.

    """
    if rate := _RATE.fullmatch(expression):
        return int(rate[1]) * _MINUTES[rate[2]] / 60
    minutes, hours, days, months, weekdays, year = expression.removeprefix("cron(").removesuffix(")").split(" ")
    # L, W and # name days that depend on the month; a year that is named has an end.
    if year != "*" or re.search(r"[LW#]", f"{days} {_without_names(weekdays)}"):
        return None
    times = sorted(h * 60 + m for h in _numbers(hours, 0, 23) for m in _numbers(minutes, 0, 59))
    within = max((later - earlier for earlier, later in itertools.pairwise(times)), default=0)
    chosen = list(_dates(_numbers(days, 1, 31), _numbers(months, 1, 12, _MONTHS), _numbers(weekdays, 1, 7, _DAYS)))
    apart = max(((later - earlier).days for earlier, later in itertools.pairwise(chosen)), default=0)
    if not apart:
        return None
    return max(within, apart * _MINUTES_A_DAY - times[-1] + times[0]) / 60


def _without_names(field: str) -> str:
    return re.sub("|".join(_DAYS), "", field)


def _dates(days: set[int], months: set[int], weekdays: set[int]) -> Iterator[dt.date]:
    date, end = _YEARS
    while date < end:
        if date.day in days and date.month in months and date.isoweekday() % 7 + 1 in weekdays:
            yield date
        date += dt.timedelta(days=1)


def _numbers(field: str, lowest: int, highest: int, names: dict[str, int] | None = None) -> set[int]:
    """What a field of cron lets through; ``?`` is anything."""
    found: set[int] = set()
    for item in field.split(","):
        body, _, step = item.partition("/")
        first, _, last = body.partition("-")
        if body in {"*", "?"}:
            begin, end = lowest, highest
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else highest if step else begin
        if begin > end:  # FRI-MON goes over the end
            found |= {*range(begin, highest + 1, int(step or 1)), *range(lowest, end + 1, int(step or 1))}
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _number(word: str, names: dict[str, int] | None) -> int:
    return int(word) if word.isdigit() else (names or {})[word]
