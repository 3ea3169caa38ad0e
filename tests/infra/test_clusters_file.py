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
        ("rpo_hours: 0", "rpo_hours: 0 is too small; write 1 or more"),
        ("rpo_hours: soon", "rpo_hours: 'soon' is no whole number; write one"),
        (
            "schedule: {expression: 'cron(0 3 L * ? *)'}",
            "how old the newest point may get can't be told from cron(0 3 L * ? *); write rpo_hours: <hours",
        ),
        ("not_saved: cache", "not_saved: 'cache' is no list; write [a, b] or one `- entry` a line"),
        ("not_saved: [on]", "not_saved.0: True is no text; put it in quotes"),
        ("instance_roles: [aerospike]", "instance_roles.0: 'aerospike' does not fit; write arn:aws:iam::<account>"),
        ("kms_keys: [alias/ebs]", "kms_keys.0: 'alias/ebs' does not fit; write arn:aws:kms:<region>"),
        ("subnets: [10.0.0.0/24]", "subnets.0: '10.0.0.0/24' does not fit; write subnet-<hex digits>"),
        ("tag: {key: aerospike, value: orders}", "tag: stands already in line 3; remove one of the two"),
        ("subnets: [", "is not YAML"),
        ("export: {runer: tagged}", "export.runer: is not known; did you mean runner?"),
        (
            "export: daily",
            "export: 'daily' is no mapping; write fields below it (at_once, bandwidth_mibps, compression",
        ),
        ("export: {schedule: {expression: daily}}", "export.schedule.expression: 'daily' is neither cron(…) nor rate"),
        ("export: {runner: fastest}", "export.runner: 'fastest' is not one of the choices; write 'least_loaded'"),
        ("export: {runner: tagged}", "export: runner: tagged and runner_tag go together; write both, or neither"),
        ("export: {runner_tag: {key: role, value: tools}}", "export: runner: tagged and runner_tag go together; write"),
        ("export: {runner: tagged, runner_tag: {key: 'r*', value: x}}", "runner_tag.key: 'r*' does not fit; write the"),
        ("export: {mode: tape}", "export.mode: 'tape' is not one of the choices; write 'stream' or 'directory'"),
        ("export: {directory: transfer}", "export.directory: 'transfer' does not fit; write an absolute path"),
        ("export: {directory: /transfer}", "export.directory: '/transfer' does not fit; write an absolute path"),
        ("export: {directory: /var/../etc}", "export.directory: '/var/../etc' does not fit; write an absolute path"),
        ("export: {slices: 33}", "export.slices: 33 is too large; write 32 or less"),
        ("export: {at_once: 0}", "export.at_once: 0 is too small; write 1 or more"),
        ("export: {parallel: 65}", "export.parallel: 65 is too large; write 64 or less"),
        ("export: {file_mib: 0}", "export.file_mib: 0 is too small; write 1 or more"),
        ("export: {records_per_second: -1}", "export.records_per_second: -1 is too small; write 0 or more"),
        ("export: {bandwidth_mibps: fast}", "export.bandwidth_mibps: 'fast' is no whole number; write one"),
        ("export: {nice: 20}", "export.nice: 20 is too large; write 19 or less"),
        ("export: {compression: lzma}", "export.compression: 'lzma' is not one of the choices; write 'gzip', 'zstd'"),
        (
            "export: {encryption: {mode: aes256, key: 'secret:x'}}",
            "export: encrypted bytes do not compress; write compression: zstd (by the tool itself) or none",
        ),
        (
            "export: {compression: none, encryption: {mode: aes512, key: 'secret:x'}}",
            "export.encryption.mode: 'aes512' is not one of the choices; write 'aes128' or 'aes256'",
        ),
        (
            "export: {compression: none, encryption: {mode: aes256, key: 0a1b2c3d}}",
            "export.encryption.key: '0a1b2c3d' does not fit; write file:<path on the runner> or secret:<name",
        ),
        ("export: {overlap_s: -1}", "export.overlap_s: -1 is too small; write 0 or more"),
        ("export: {verify: hope}", "export.verify: 'hope' is not one of the choices; write 'full' or 'sizes'"),
        ("export: {tries: 11}", "export.tries: 11 is too large; write 10 or less"),
        ("export: {deadline_s: 64801}", "export.deadline_s: 64801 is too large; write 64800 or less"),
        ("export: {runner_silence_s: 59}", "export.runner_silence_s: 59 is too small; write 60 or more"),
        ("export: {silence_s: 299}", "export.silence_s: 299 is too small; write 300 or more"),
        ("export: {import_from: orders}", "export.import_from: 'orders' is no list; write [a, b]"),
        ("export: {import_from: [Orders]}", "export.import_from.0: 'Orders' does not fit; use a-z, 0-9 and -"),
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
