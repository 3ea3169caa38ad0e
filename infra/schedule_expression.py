"""Tell what is wrong with an EventBridge Scheduler expression before AWS would, at deployment."""

import re

_RATE = re.compile(r"rate\((\d+) (minute|minutes|hour|hours|day|days)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_EXAMPLE = "write for example cron(0 3 * * ? *) or rate(6 hours)"

# field, lowest and highest number, and the words it knows beside numbers
# (https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html)
_FIELDS = (
    ("minutes", 0, 59, None),
    ("hours", 0, 23, None),
    ("day-of-month", 1, 31, r"L|LW|\d{1,2}W"),
    ("month", 1, 12, _MONTHS),
    ("day-of-week", 1, 7, rf"{_DAYS}|L|[1-7]L|[1-7]#[1-5]|(?:{_DAYS})#[1-5]"),
    ("year", 1970, 2199, None),
)
_OF_MONTH, _OF_WEEK = 2, 4


def wrong_with_schedule(expression: str) -> str | None:
    """Say what is wrong with ``expression`` and what to write instead, or ``None`` if nothing is."""
    if rate := _RATE.fullmatch(expression):
        return _wrong_with_rate(int(rate[1]), rate[2])
    if cron := _CRON.fullmatch(expression):
        return _wrong_with_cron(cron[1].split(" "))
    return f"{expression!r} is neither cron(…) nor rate(…); {_EXAMPLE}"


def _wrong_with_rate(number: int, unit: str) -> str | None:
    if number == 0:
        return f"a rate of 0 {unit} never comes; {_EXAMPLE}"
    if (number == 1) == unit.endswith("s"):
        singular = unit.removesuffix("s")
        return f"write rate({number} {singular if number == 1 else singular + 's'})"
    return None


def _wrong_with_cron(parts: list[str]) -> str | None:
    if len(parts) != len(_FIELDS):
        names = " ".join(name for name, *_ in _FIELDS)
        return f"cron has {len(parts)} fields; write six, one blank between them: cron({names})"
    for part, (name, lowest, highest, words) in zip(parts, _FIELDS, strict=True):
        if not all(_is_item(item, lowest, highest, words) for item in part.split(",")) and not (
            part == "?" and name.startswith("day-")
        ):
            return f"{part!r} is no {name} of cron (numbers {lowest}-{highest}); {_EXAMPLE}"
    if (parts[_OF_MONTH] == "?") == (parts[_OF_WEEK] == "?"):
        return "exactly one of day-of-month and day-of-week must be ?; put ? in the one that does not matter"
    return None


def _is_item(item: str, lowest: int, highest: int, words: str | None) -> bool:
    body, _, step = item.partition("/")
    if step and not step.isdigit():
        return False
    if body == "*" or (words and re.fullmatch(words, body)):
        return True
    ends = body.split("-")
    return len(ends) <= 2 and all(  # noqa: PLR2004 - a range has two ends
        (end.isdigit() and lowest <= int(end) <= highest) or bool(words and re.fullmatch(words, end)) for end in ends
    )
