"""A wrong clusters.yaml is refused with file, field and remedy, all mistakes at once."""

from pathlib import Path
from textwrap import dedent

import pytest

from infra.config import Config
from infra.config_file import ConfigError, read_config

SMALLEST = """\
    clusters:
      orders:
        tag: {key: aerospike, value: orders}
"""


def reading(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "clusters.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return read_config(path)


def refusal(tmp_path: Path, text: str) -> list[str]:
    """The lines of the refusal: the file first, then a mistake each."""
    with pytest.raises(ConfigError) as refused:
        reading(tmp_path, text)
    return str(refused.value).splitlines()


def test_the_file_of_the_repository_is_right(root: Path) -> None:
    assert read_config(root / "clusters.yaml").clusters


def test_a_cluster_needs_no_more_than_its_tag(tmp_path: Path) -> None:
    cluster = reading(tmp_path, SMALLEST).clusters["orders"]
    assert (cluster.schedule, cluster.consistency, cluster.shortfall) == (None, "cluster", "abort")
    assert (cluster.write_stop.budget_s, cluster.write_stop.lead_s) == (10, 60)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("consistncy: cluster", "3: clusters.orders.consistncy: is not known; did you mean consistency?"),
        ("consistency: perfect", "consistency: 'perfect' is not one of the choices; write 'cluster', 'node' or"),
        ("shortfall: ignore", "shortfall: 'ignore' is not one of the choices; write 'abort' or 'degrade'"),
        ("schedule: {expression: daily}", "schedule.expression: 'daily' is neither cron(…) nor rate(…); write for"),
        ("schedule: {expression: rate(1 day), time_zone: Mars/Base}", "time_zone: 'Mars/Base' is no IANA time"),
        ("schedule: {time_zone: UTC}", "3: clusters.orders.schedule.expression: is missing; add it"),
        ("write_stop: {lead_s: 121}", "write_stop.lead_s: 121 is too large; write 120 or less"),
        ("write_stop: {lease_s: 61}", "write_stop.lease_s: 61 is too large; write 60 or less"),
        ("write_stop: {budget_s: soon}", "write_stop.budget_s: 'soon' is no whole number; write one"),
        ("write_stop: {budget_s: 30, lease_s: 25}", "budget_s 30 outlasts lease_s 25, after which every host undoes"),
        ("write_stop: 10", "write_stop: 10 is no mapping; write fields below it (budget_s, lead_s, lease_s)"),
        ("not_saved: cache", "not_saved: 'cache' is no list; write [a, b] or one `- entry` a line"),
        ("not_saved: [on]", "not_saved.0: True is no text; put it in quotes"),
        ("instance_roles: [aerospike]", "instance_roles.0: 'aerospike' does not fit; write arn:aws:iam::<account>"),
        ("kms_keys: [alias/ebs]", "kms_keys.0: 'alias/ebs' does not fit; write arn:aws:kms:<region>"),
        ("subnets: [10.0.0.0/24]", "subnets.0: '10.0.0.0/24' does not fit; write subnet-<hex digits>"),
        ("tag: {key: aerospike, value: orders}", "tag: stands already in line 3; remove one of the two"),
        ("subnets: [", "is not YAML"),
    ],
)
def test_one_mistake_is_named_with_its_field_and_its_remedy(tmp_path: Path, line: str, said: str) -> None:
    file, *mistakes = refusal(tmp_path, SMALLEST.replace("    tag:", f"    {line}\n        tag:", 1))
    assert file.endswith("clusters.yaml: 1 mistake")
    assert len(mistakes) == 1
    assert said in mistakes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: clusters: is missing; add it"),
        ("clusters: {}", "1: clusters: is empty; add at least one entry"),
        ("clusters: {Orders: {tag: {key: a, value: b}}}", "clusters.Orders: 'Orders' does not fit; use a-z, 0-9 and -"),
        ("clusters: {orders: {tag: {key: a, value: 'b*'}}}", "tag.value: 'b*' does not fit; write the value"),
        ("clusters: {a: {tag: {key: k, value: v}}, b: {tag: {key: k, value: v}}}", "a and b have the same tag k=v"),
        ("clusters: {a: {tag: {key: k, value: v}}}\nnotifications: {emails: [me]}", "2: notifications.emails.0: 'me'"),
    ],
)
def test_the_file_as_a_whole_is_checked_too(tmp_path: Path, text: str, said: str) -> None:
    _, mistake = refusal(tmp_path, text)
    assert said in mistake


def test_several_mistakes_are_reported_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    file, *mistakes = refusal(
        tmp_path,
        """\
        clusters:
          orders:
            tag: {key: aerospike}
            shortfall: maybe
          users:
            tag: {key: aerospike, value: users}
            write_stop: {lead_s: 500}
        """,
    )
    assert file.endswith("3 mistakes")
    assert [mistake.split(": ")[0].strip() for mistake in mistakes] == [f"clusters.yaml:{n}" for n in (3, 4, 7)]


def test_a_file_that_is_not_there_is_a_mistake_of_the_operator_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "clusters.yaml")
