"""Whether everything arrived is judged by the tool's counters, each of which means something else."""

import pytest
from aerokeep.model.errors import AerokeepError, CorruptError, RejectedError
from aerokeep.model.import_ import ImportPlan
from aerokeep.model.transfer import Counters, Transfer
from aerokeep.model.transfer_order import Server
from aerokeep.rules.imported import require_imported, totals
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from tests.transfer_builders import EXPORT, a_runner, an_import_request, imported

COUNTS = st.integers(0, 3)
OUTCOMES = ("inserted", "existed", "fresher", "expired", "skipped", "ignored")


def a_plan_of(**records: int) -> ImportPlan:
    """Parts are named with an underscore here."""
    return ImportPlan(
        export_id=EXPORT,
        parts=(),
        records={name.replace("_", "-"): count for name, count in records.items()},
        runners=(a_runner(),),
        width=1,
        server=Server(address="10.77.0.11", port=3000),
        existing={"test": 0},
        notes=(),
    )


def judge(transfer: Transfer, *, records: int = 10, **request: object) -> tuple[str, ...]:
    return require_imported(an_import_request(**request), a_plan_of(test_00=records), transfer)


def test_all_inserted_is_a_success_without_a_note() -> None:
    assert judge(imported({"records": 10, "inserted": 10})) == ()


def test_records_that_had_outlived_their_time_are_no_loss_and_are_noted() -> None:
    assert judge(imported({"records": 10, "inserted": 7, "expired": 3})) == (
        "test-00: 3 records had outlived their time to live",
    )


@pytest.mark.parametrize("outcome", ["ignored", "skipped"])
@pytest.mark.parametrize("existing", ["refuse", "allow"])
def test_records_that_the_cluster_did_not_take_are_never_a_success(outcome: str, existing: str) -> None:
    with pytest.raises(
        RejectedError, match=r"records_left_out: test-00: .*look at its log, and start the import again"
    ):
        judge(imported({"records": 10, "inserted": 9, outcome: 1}, repeated=True), existing=existing)


@pytest.mark.parametrize("outcome", ["existed", "fresher"])
def test_records_that_were_there_already_are_a_question_unless_that_is_meant(outcome: str) -> None:
    met = {"records": 10, "inserted": 9, outcome: 1}
    with pytest.raises(RejectedError, match=r"records_existed: test-00: 1 records .*: who writes there\? Say existing"):
        judge(imported(met))
    assert judge(imported(met), existing="allow") == ("test-00: 1 records stayed as they were (as allowed)",)


def test_what_an_earlier_try_had_written_is_met_again_by_the_next_one() -> None:
    (note,) = judge(imported({"records": 10, "inserted": 4, "existed": 5, "fresher": 1}, repeated=True))
    assert note.startswith("test-00: 6 records stayed as they were (an earlier try of this import")


@pytest.mark.parametrize("records", [9, 11])
def test_another_number_of_records_than_the_manifest_names_is_corrupt(records: int) -> None:
    with pytest.raises(CorruptError, match=f"test-00 holds 10 records by its manifest, the tool read {records}"):
        judge(imported({"records": records, "inserted": records}))


def test_records_of_which_the_tool_does_not_say_what_became_are_corrupt() -> None:
    with pytest.raises(CorruptError, match="count_differs: test-00: 10 records read, but 9 accounted for"):
        judge(imported({"records": 10, "inserted": 9}))


def test_each_part_is_judged_by_itself_so_that_one_can_not_make_up_for_another() -> None:
    one, other = (imported({"records": 10, "inserted": 10}, name=name).parts[0] for name in ("test-00", "test-01"))
    transfer = Transfer(epoch=1, begun_at=NOON, parts=(one, other))
    with pytest.raises(CorruptError, match="count_differs: test-00 holds 9"):
        require_imported(an_import_request(), a_plan_of(test_00=9, test_01=11), transfer)


@given(st.fixed_dictionaries(dict.fromkeys(("records", *OUTCOMES), COUNTS)), st.booleans(), st.booleans(), COUNTS)
def test_a_success_never_misses_a_record(counters: dict[str, int], repeated: bool, allow: bool, held: int) -> None:  # noqa: FBT001 - drawn
    transfer = imported(counters, repeated=repeated)
    try:
        judge(transfer, records=held, existing="allow" if allow else "refuse")
    except AerokeepError:
        return
    there = counters["inserted"] + counters["existed"] + counters["fresher"]
    assert there + counters["expired"] == held == counters["records"]
    assert counters["ignored"] == counters["skipped"] == 0
    assert allow or repeated or counters["inserted"] + counters["expired"] == held


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(("records", *OUTCOMES), COUNTS)), max_size=4))
def test_the_whole_is_the_sum_of_all_parts_in_every_counter(told: list[dict[str, int]]) -> None:
    parts = tuple(imported(one, name=f"test-{number}").parts[0] for number, one in enumerate(told))
    whole = totals(Transfer(epoch=1, begun_at=NOON, parts=parts))
    assert whole == Counters(**{name: sum(one[name] for one in told) for name in ("records", *OUTCOMES)})
