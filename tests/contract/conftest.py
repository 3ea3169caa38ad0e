"""Each row has an account of its own: a fresh region over folders, or the real one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.region import Pace, Region
from tests.contract.account import Account, real
from tests.workflow.region.folder_plane import FolderPlane

pytest.register_assert_rewrite("tests.contract.rows", "tests.contract.made")

MakeAccount = Callable[[Pace], Account]


@pytest.fixture
def account_at(tmp_path: Path) -> Iterator[MakeAccount]:
    """Make the row's account, at the pace that the row asks for."""
    with ExitStack() as rest:

        def make(pace: Pace) -> Account:
            region = None
            if not real():
                (tmp_path / "layer").mkdir()
                plane = FolderPlane()
                rest.callback(plane.close)
                region = Region(plane, pace=pace, layer=tmp_path / "layer")
                rest.callback(region.stop)
                region.start()
            account = Account(region)
            rest.callback(account.close)
            return account

        yield make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The contract's own last line."""
    rows = {name: _rows(terminalreporter, name) for name in ("passed", "failed", "error", "skipped")}
    if any(rows.values()):
        played, failed = rows["passed"] + rows["failed"], rows["failed"] + rows["error"]
        terminalreporter.write_line(f"contract: behaviours={played} failed={failed}")


def _rows(reporter: pytest.TerminalReporter, outcome: str) -> int:
    return sum("test_aws_behaves_so" in report.nodeid for report in reporter.stats.get(outcome, []))
