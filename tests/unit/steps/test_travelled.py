"""How far a transfer is, as whoever watches the execution reads it."""

from typing import Any

from aerokeep.model.transfer import PartState, Transfer
from aerokeep.steps.shared.transferring import travelled

from tests.builders import NOON
from tests.transfer_builders import a_part_status


def a_transfer(*parts: dict[str, Any]) -> Transfer:
    named = [{"name": f"test-{number:02d}", **part} for number, part in enumerate(parts)]
    return Transfer.model_validate({"epoch": 1, "begun_at": NOON, "parts": named})


def running(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"runner": "i-1", "status": a_part_status(**changes)}


DONE = {"done": True, "status": a_part_status(state=PartState.DONE, percent=100, rate=99, remaining_s=7)}


def test_parts_that_are_done_count_whole_and_those_under_way_by_what_their_hosts_tell() -> None:
    told = travelled(a_transfer(DONE, running(percent=50, rate=10), running(percent=10, rate=5), {}), wait_s=7)
    assert (told.parts, told.parts_done, told.percent, told.records_per_second) == (4, 1, 40.0, 15)
    assert (told.done, told.wait_s) == (False, 7)


def test_the_longest_that_a_host_expects_is_what_remains() -> None:
    transfer = a_transfer(running(remaining_s=30), running(remaining_s=90), running(), DONE)
    assert travelled(transfer, wait_s=1).remaining_s == 90
    assert travelled(a_transfer(running()), wait_s=1).remaining_s is None


def test_what_is_done_as_a_whole_is_done() -> None:
    told = travelled(a_transfer(DONE, DONE), wait_s=1)
    assert (told.done, told.percent, told.records_per_second, told.remaining_s) == (True, 100.0, 0, None)
    assert travelled(a_transfer(), wait_s=1).done, "nothing to do is done"
