"""When a schedule's expression falls due; pure."""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
LONGEST_LOOK_DAYS = 366 * 8
"""A leap day may be eight years away."""
Fits = Callable[[date], bool]


def due_after(expression: str, instant: datetime, *, began: datetime, zone: str = "UTC") -> datetime | None:
    """The first time after `instant` at which `expression` falls due; None if it never does again.

    Args:
        expression: ``rate(…)``, ``cron(…)`` or ``at(…)`` as EventBridge spells it.
        instant: aware.
        began: from when a rate is counted; itself it is not due.
        zone: the time zone of the wall clock of a cron or an at.

    Raises:
        ValueError: it is none of them.

    """
    if rate := _RATE.fullmatch(expression):
        step = timedelta(seconds=int(rate[1]) * _SECONDS[rate[2]])
        return began + max(1, (instant - began) // step + 1) * step
    if cron := _CRON.fullmatch(expression):
        return _next_of_cron(cron[1].upper().split(), instant, ZoneInfo(zone))
    if once := _AT.fullmatch(expression):
        at = datetime.fromisoformat(once[1]).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return at if at > instant else None
    raise ValueError(f"{expression!r} is neither rate(…) nor cron(…) nor at(…)")


def _next_of_cron(fields: list[str], instant: datetime, zone: ZoneInfo) -> datetime | None:
    minutes, hours = _numbers(fields[0], 0, 59, {}), _numbers(fields[1], 0, 23, {})
    fits = _fits(fields)
    first = instant.astimezone(zone).date() - timedelta(days=1)
    for day in (first + timedelta(days=number) for number in range(LONGEST_LOOK_DAYS)):
        if not fits(day):
            continue
        for hour, minute in ((hour, minute) for hour in hours for minute in minutes):
            at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            # A wall clock's hour that a change to summer time leaves out is left out here too.
            if at.astimezone(UTC).astimezone(zone).hour == hour and at.astimezone(UTC) > instant:
                return at.astimezone(UTC)
    return None


def _fits(fields: list[str]) -> Fits:
    months, years = _numbers(fields[3], 1, 12, _MONTHS), _numbers(fields[5], 1970, 2199, {})
    of_month, of_week = _day_of_month(fields[2]), _day_of_week(fields[4])
    return lambda day: day.month in months and day.year in years and of_month(day) and of_week(day)


def _day_of_month(field: str) -> Fits:
    if field in ("?", "*"):
        return lambda _: True
    tests = [_one_day_of_month(item) for item in field.split(",")]
    return lambda day: any(test(day) for test in tests)


def _one_day_of_month(item: str) -> Fits:
    if item == "L":
        return lambda day: day.day == _last(day)
    if item == "LW":
        return lambda day: day == _nearest_weekday(day, _last(day))
    if item.endswith("W"):
        return lambda day: day == _nearest_weekday(day, int(item[:-1]))
    numbers = _numbers(item, 1, 31, {})
    return lambda day: day.day in numbers


def _day_of_week(field: str) -> Fits:
    if field in ("?", "*"):
        return lambda _: True
    tests = [_one_day_of_week(item) for item in field.split(",")]
    return lambda day: any(test(day) for test in tests)


def _one_day_of_week(item: str) -> Fits:
    name, _, number = item.partition("#")
    if number:
        return lambda day: _weekday(day) == _number(name, _DAYS) and (day.day - 1) // 7 + 1 == int(number)
    if item.endswith("L") and item != "L":
        return lambda day: _weekday(day) == int(item[:-1]) and day.day + 7 > _last(day)
    numbers = _numbers("7" if item == "L" else item, 1, 7, _DAYS)
    return lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    """1 is Sunday, as EventBridge counts."""
    return day.isoweekday() % 7 + 1


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, number: int) -> date | None:
    """The working day next to the month's day of that number, within the month."""
    if number > _last(day):
        return None
    wanted = day.replace(day=number)
    move = {5: -1, 6: 1}.get(wanted.weekday(), 0)
    moved = wanted + timedelta(days=move)
    return moved if moved.month == day.month else moved - timedelta(days=3 * move)


def _numbers(field: str, lowest: int, highest: int, words: dict[str, int]) -> list[int]:
    return sorted(set(_listed(field, lowest, highest, words)))


def _listed(field: str, lowest: int, highest: int, words: dict[str, int]) -> Iterator[int]:
    for item in field.split(","):
        body, _, step = item.partition("/")
        if body in ("*", "?"):
            first, last = lowest, highest
        else:
            start, _, end = body.partition("-")
            first = _number(start, words)
            last = _number(end, words) if end else (highest if step else first)
        yield from range(first, last + 1, int(step or 1))


def _number(word: str, words: dict[str, int]) -> int:
    return words[word] if word in words else int(word)
