"""What the tools say is understood as they say it, and nothing that they did not say counts."""

import pytest
from aerokeep_node.transfer.tool_output import BackupReport, LastWords, RestoreReport, seconds_of, version_of
from aerokeep_node.transfer.vault import has_credentials
from hypothesis import given
from hypothesis import strategies as st

BACKED_UP = (
    "2026-01-01 00:00:00 GMT [INF] [ 4242] Backed up 400003 record(s), 2 secondary index(es), 1 UDF file(s), "
    "284566188 byte(s) in total (~711 B/rec)"
)
SUMMARY = {"records": 400003, "sindexes": 2, "udfs": 1, "bytes": 284566188}
VERSION_1 = """\
      Name                    Value             Type    Location
      ----                    -----             ----    --------
   profile                <not set>             None    None
access_key     {}
secret_key     ****************abcd         iam-role
"""
VERSION_2 = """\
NAME       : VALUE                    : TYPE             : LOCATION
profile    : <not set>                : None             : None
access_key : {}
"""


def backup(*machine: str, stderr: tuple[str, ...] = ()) -> BackupReport:
    report = BackupReport()
    for line in machine:
        report.heed_machine(line)
    for line in stderr:
        report.heed_stderr(line)
    return report


def test_progress_comes_from_the_machine_file_and_the_rate_from_stderr() -> None:
    report = backup("PROGRESS:44", "REMAINING:1h2s", stderr=(
        "2026-01-01 00:00:00 GMT [INF] [1] 45% complete (~124250 KiB/s, ~178846 rec/s, ~711 B/rec)",
    ))  # fmt: skip
    assert (report.percent, report.rate, report.remaining_s) == (45, 178846, 3602)
    report.heed_stderr("[INF] ~1m5s remaining")
    assert report.remaining_s == 65


@pytest.mark.parametrize(
    "report",
    [
        backup("SUMMARY:400003:2:1:284566188:711"),
        backup(stderr=(BACKED_UP,)),
        backup(
            "ESTIMATE:400003:720", "SUMMARY:10000:0:0:7110000:711", "PROGRESS:1", "SUMMARY:400003:2:1:284566188:711"
        ),
    ],
)
def test_the_summary_is_what_the_backup_says_of_itself(report: BackupReport) -> None:
    assert report.summary == SUMMARY


@pytest.mark.parametrize(
    "lines", [(), ("PROGRESS:100",), ("SUMMARY:1:2",), ("SUMMARY:a:b:c:d:e",), ("ESTIMATE:9:8", "SUMMARY:1:0:0:5:5")]
)
def test_nothing_else_is_a_summary(lines: tuple[str, ...]) -> None:
    assert backup(*lines).summary is None


def test_an_estimate_is_the_size_of_a_record() -> None:
    assert backup("ESTIMATE:400003:720").record_bytes == 720
    line = "[INF] Estimated overall record size is 720 byte(s)"
    assert backup(stderr=(line,)).record_bytes == 720
    assert backup("ESTIMATE:").record_bytes is None


def test_a_restore_is_counted_by_its_summary_with_the_stray_blank() -> None:
    report = RestoreReport()
    report.heed_machine("PROGRESS:100")
    assert report.summary is None
    report.heed_machine("SUMMARY:1:2:10:3:0:1:4 :2:0\n")
    assert report.summary == {
        "udfs": 1, "sindexes": 2, "records": 10, "expired": 3, "skipped": 0, "ignored": 1,
        "inserted": 4, "existed": 2, "fresher": 0,
    }  # fmt: skip


@given(st.text())
def test_unknown_lines_are_skipped(line: str) -> None:
    report, restore = BackupReport(), RestoreReport()
    for heed in (report.heed_machine, report.heed_stderr, restore.heed_machine, restore.heed_stderr):
        heed(line)
    LastWords().heed(line)
    version_of(line)
    seconds_of(line)


@pytest.mark.parametrize(
    ("eta", "seconds"),
    [("5s", 5), ("1m0s", 60), ("2d3h4m5s", 183845), (">100d", 8640000), ("soon", None), ("", None), ("5", None)],
)
def test_a_remaining_time_is_read(eta: str, seconds: int | None) -> None:
    assert seconds_of(eta) == seconds


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Aerospike Backup Utility\nVersion 4.5.8\nC Client Version 6.6.4\nCopyright 2015-2021 Aerospike.", "4.5.8"),
        ("Aerospike Restore Utility\nVersion 3.13.0-2-g1a2b3c\nC Client Version 6.1\n", "3.13.0-2-g1a2b3c"),
        ("asbackup: command not found", None),
        ("C Client Version 6.6.4", None),
    ],
)
def test_a_tools_own_version_is_told_from_its_librarys(text: str, version: str | None) -> None:
    assert version_of(text) == version


def test_the_last_words_are_the_last_lines_and_a_full_disk_is_noticed_among_any() -> None:
    words = LastWords()
    words.heed("[ERR] write: No space left on device")
    for number in range(20):
        words.heed(f"line {number}")
    assert words.no_space
    assert str(words).endswith("line 18 | line 19")
    assert "line 9" not in str(words)


@pytest.mark.parametrize("form", [VERSION_1, VERSION_2])
@pytest.mark.parametrize(
    ("key", "there"),
    [("****************MPLE : iam-role :", True), ("****************MPLE              env    ", True),
     ("<not set>             None    None", False), ("<not set>                : None             : None", False)],
)  # fmt: skip
def test_credentials_are_there_if_the_cli_shows_a_key(form: str, key: str, there: bool) -> None:  # noqa: FBT001 - a table
    assert has_credentials(form.format(key)) is there
    assert not has_credentials("")
