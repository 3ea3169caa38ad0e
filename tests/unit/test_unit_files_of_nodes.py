"""The systemctl of sandbox nodes reads unit files as systemd does."""

from pathlib import Path

import pytest

from sandbox.systemd.service import stop_timeout_s
from sandbox.systemd.units import Unit, UnitError, UnitFiles, command, environment

UNIT = "aerospike.service"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.fixture
def files(root: Path) -> UnitFiles:
    return UnitFiles(root)


def _unit(*texts: str) -> Unit:
    return Unit(UNIT, f"/usr/lib/systemd/system/{UNIT}", tuple((str(n), text) for n, text in enumerate(texts)))


def test_later_files_count_and_an_empty_assignment_forgets_a_list() -> None:
    unit = _unit("ExecStart=/usr/bin/asd a\nTimeoutSec=600\n", "[Service]\nExecStart=\nExecStart=/usr/bin/asd b\n")
    assert unit.all("ExecStart") == ["/usr/bin/asd b"]
    assert stop_timeout_s(unit) == 600
    assert stop_timeout_s(_unit("TimeoutStopSec=2min\n")) == 120
    assert stop_timeout_s(None) == 90


def test_comments_and_continued_lines_are_read_as_systemd_reads_them() -> None:
    unit = _unit('# ExecStart=no\n; ExecStart=no\nEnvironment=A=1 \\\n "B=two words"\n')
    assert environment(unit, UnitFiles(Path("/"))) == {"A": "1", "B": "two words"}


def test_environment_files_count_over_what_the_unit_sets(root: Path, files: UnitFiles) -> None:
    (root / "etc/sysconfig").mkdir()
    (root / "etc/sysconfig/aerospike").write_text('# words\nASD_OPTIONS="--cold-start"\n')
    unit = files.read(UNIT)
    assert unit is not None
    assert environment(unit, files)["ASD_OPTIONS"] == "--cold-start"
    with pytest.raises(UnitError, match="environment files"):
        environment(_unit("EnvironmentFile=/etc/none\n"), files)


def test_a_variable_as_a_word_is_split_and_vanishes_when_it_is_empty() -> None:
    line = "/usr/bin/asd $NONE $TWO --config-file ${CONF}.x"
    expected = ["/usr/bin/asd", "a", "b", "--config-file", "/c d.x"]
    assert command(line, {"TWO": "a b", "CONF": "/c d"}) == expected


def test_a_path_below_the_root_is_not_put_below_it_twice(files: UnitFiles, root: Path) -> None:
    assert files.path("/etc/x") == files.path(f"{root}/etc/x") == root / "etc/x"
    assert UnitFiles(Path("/")).path("/etc/x") == Path("/etc/x")
