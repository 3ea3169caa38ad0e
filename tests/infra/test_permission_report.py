"""docs/permissions.md says what the templates grant, and why nothing of it is narrower."""

import pytest

from infra.build_products import BuildProducts
from infra.config import Config
from infra.permissions import EXAMPLE, REPORT, Report, report_of


@pytest.fixture(scope="module")
def report(products: BuildProducts) -> Report:
    return report_of(Config.model_validate({"clusters": {"example": EXAMPLE}}), products)


def test_the_report_is_current(report: Report) -> None:
    assert REPORT.read_text(encoding="utf-8") == report.text, "run `make permissions`"


def test_no_resource_ends_in_a_wildcard_without_its_reason(report: Report) -> None:
    assert [f"{s.role} {s.sid} {s.actions}" for s in report.statements if s.wide and not s.why] == []


def test_no_action_is_a_wildcard(report: Report) -> None:
    assert [s.role for s in report.statements if any("*" in action for action in s.actions)] == []


def test_every_role_is_told_of(report: Report) -> None:
    assert {s.role for s in report.statements} >= {"backup/CutSnapshots", "backup (machine)", "(schedules)", "(nodes)"}
    assert all(f"\n### {s.role}\n" in report.text for s in report.statements)
