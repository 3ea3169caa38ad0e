"""What EventBridge Scheduler would refuse at deployment is refused at synth."""

import pytest

from infra.schedule_expression import wrong_with_schedule


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 hour)",
        "rate(15 minutes)",
        "cron(0 3 * * ? *)",
        "cron(0/15 8-17 ? * MON-FRI *)",
        "cron(30 2 1,15 * ? 2026-2030)",
        "cron(0 3 L * ? *)",
        "cron(0 3 ? * 6#3 *)",
        "cron(0 3 15W JAN,JUL ? *)",
    ],
)
def test_what_the_manual_allows_is_taken(expression: str) -> None:
    assert wrong_with_schedule(expression) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("every day", "neither cron"),
        ("rate(0 days)", "never comes"),
        ("rate(1 hours)", "write rate(1 hour)"),
        ("rate(2 hour)", "write rate(2 hours)"),
        ("cron(0 3 * * *)", "5 fields; write six"),
        ("cron(0 24 * * ? *)", "'24' is no hours"),
        ("cron(60 3 * * ? *)", "'60' is no minutes"),
        ("cron(0 3 * * * *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(0 3 ? * ? *)", "exactly one of day-of-month and day-of-week must be ?"),
        ("cron(0 3 ? * FUN *)", "'FUN' is no day-of-week"),
        ("cron(0 ? * * ? *)", "'?' is no hours"),
        ("cron(0/x 3 * * ? *)", "'0/x' is no minutes"),
    ],
)
def test_what_aws_would_refuse_is_refused_with_the_remedy(expression: str, said: str) -> None:
    assert said in (wrong_with_schedule(expression) or "")
