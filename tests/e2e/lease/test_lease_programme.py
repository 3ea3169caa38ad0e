"""The lease check end to end: hosts release by themselves, and nobody outside could have helped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aerokeep_node.info import InfoConnection, InfoSilenceError

from sandbox.dataplane import choose, probe
from tests.lease.__main__ import main
from tests.lease.lane import Lane
from tests.plane_nodes import DOCUMENTS

ASK_S = 1.0


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    if not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    plane = choose(tmp_path, mode="namespaces")
    try:
        plane.start()
        yield Lane(plane, 0)
    finally:
        plane.close()


def test_two_runs_are_released(capsys: pytest.CaptureFixture[str]) -> None:
    if not DOCUMENTS.exists():
        pytest.skip("the host program is not packed: run `make layer` first")
    code = main(["--runs", "2", "--seed", "1", "--nodes", "2"])
    *_, last = capsys.readouterr().out.splitlines()
    assert last == "lease-check: runs=2 released=2"
    assert code == 0


def is_reached(lane: Lane) -> bool:
    """Whether somebody outside the node gets an answer of its server."""
    with lane.plane.client_network():
        connection = InfoConnection(lane.node.private_ip, 3000)
        try:
            connection.open()
            return bool(connection.ask("node", ASK_S))
        except (InfoSilenceError, OSError):
            return False
        finally:
            connection.close()


@pytest.mark.root
def test_with_the_cable_pulled_nobody_outside_reaches_the_node_and_its_own_client_does(lane: Lane) -> None:
    assert is_reached(lane)
    lane.unplug()
    assert not is_reached(lane)
    assert lane.node.info("node") == "B0"
    lane.plug()
    assert is_reached(lane)
