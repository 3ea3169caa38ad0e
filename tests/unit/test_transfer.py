"""How a transfer goes on: what a host's answer means for its parts, who is given up, and who gets what next."""

from collections.abc import Sequence
from typing import Any

import pytest
from aerokeep.model.errors import AerokeepError, ConflictError, CorruptError, NotReadyError, RejectedError
from aerokeep.model.transfer import (
    Counters,
    Job,
    JobState,
    JobStatus,
    PartState,
    PartStatus,
    Tool,
    Transfer,
    Tried,
)
from aerokeep.rules import transfer as rules

from tests.builders import NOON, at
from tests.transfer_builders import a_job_status, a_part_order, a_part_status, a_policy, a_summary

FAILED, DONE, WAITING = PartState.FAILED, PartState.DONE, PartState.WAITING
TWO = ("test-00", "test-01")


def begun(*names: str) -> Transfer:
    return rules.begin([a_part_order(name) for name in names], epoch=1, now=NOON)


def assigned(transfer: Transfer, *runners: str, width: int = 1, last: Sequence[str] = ()) -> Transfer:
    """Orders are named after how many jobs there were, so that no two are alike."""
    made = iter(f"token-{len(transfer.jobs)}-{number}-{sum(p.tries for p in transfer.parts)}" for number in range(9))
    return rules.assign(
        transfer, runners or ("i-1",), width=width, last=frozenset(last), token=lambda: next(made), now=NOON
    )


def job_of(transfer: Transfer, runner: str = "i-1") -> Job:
    (job,) = [job for job in transfer.jobs if job.runner == runner]
    return job


def told(transfer: Transfer, *parts: PartStatus, runner: str = "i-1", **status: Any) -> Transfer:  # noqa: ANN401
    """The runner says so of the job that it was given."""
    job = job_of(transfer, runner)
    return rules.heard(transfer, job, a_job_status(job.token, *parts, **status), now=at(10))


def part_of(transfer: Transfer, name: str = "test-00") -> Tried:
    (part,) = [part for part in transfer.parts if part.name == name]
    return part


def hope(transfer: Transfer, *, seconds: float = 10, **policy: Any) -> None:  # noqa: ANN401 - any field
    rules.require_hope(transfer, a_policy(**policy), ["i-1"], now=at(seconds))


def test_what_waits_is_dealt_out_evenly_to_as_many_runners_as_work_side_by_side() -> None:
    names = [f"test-{number:02d}" for number in range(5)]
    transfer = assigned(begun(*names), "i-1", "i-2", "i-3", width=2)
    assert {job.runner: job.parts for job in transfer.jobs} == {
        "i-1": ("test-00", "test-02", "test-04"),
        "i-2": ("test-01", "test-03"),
    }
    assert [part.runner for part in transfer.parts] == ["i-1", "i-2", "i-1", "i-2", "i-1"]


def test_a_runner_that_has_a_job_gets_no_second_one() -> None:
    transfer = assigned(begun("test-00"))
    assert assigned(transfer) == transfer


def test_what_carries_the_indexes_begins_when_everything_else_is_done() -> None:
    transfer = assigned(begun(*TWO), "i-1", "i-2", width=2, last=["test-00"])
    assert [job.parts for job in transfer.jobs] == [("test-01",)]
    transfer = told(transfer, a_part_status("test-01", DONE), state=JobState.DONE)
    assert [job.parts for job in assigned(transfer, "i-1", "i-2", width=2, last=["test-00"]).jobs] == [("test-00",)]


def test_all_that_comes_last_is_given_to_one_runner() -> None:
    transfer = assigned(begun(*TWO), "i-1", "i-2", width=2, last=TWO)
    assert [(job.runner, job.parts) for job in transfer.jobs] == [("i-1", TWO)]


def test_a_part_is_done_with_what_its_job_counted_and_the_others_go_on() -> None:
    counters = Counters(records=5, inserted=5)
    transfer = told(
        assigned(begun(*TWO)),
        a_part_status("test-00", DONE, files_done=2, counters=counters, sindexes=1, udfs=2),
        a_part_status("test-01"),
    )
    part = part_of(transfer)
    assert (part.done, part.runner, part.counters, part.files_done) == (True, None, counters, 2)
    assert (part.sindexes, part.udfs) == (1, 2)
    assert (part_of(transfer, "test-01").runner, job_of(transfer).begun, transfer.done) == ("i-1", True, False)


def test_a_failed_part_is_counted_once_however_often_its_job_tells_of_it_while_others_run() -> None:
    counters = Counters(records=3, inserted=3)
    failed = a_part_status("test-00", FAILED, error="tool_failed", files_done=1, counters=counters, sindexes=1)
    transfer = assigned(begun(*TWO))
    for _ in range(4):
        transfer = told(transfer, failed, a_part_status("test-01"))
    part = part_of(transfer)
    assert (part.tries, part.counters, part.sindexes, part.files_done) == (1, counters, 1, 1)


def test_what_another_runner_has_been_given_is_not_taken_from_it_by_the_job_that_failed_at_it() -> None:
    transfer = assigned(begun("test-00", "test-01", "test-02"), "i-1", "i-2", width=2)
    transfer = told(transfer, a_part_status("test-01", DONE), runner="i-2", state=JobState.DONE)
    still = (a_part_status("test-00", FAILED, error="tool_failed"), a_part_status("test-02"))
    transfer = assigned(told(transfer, *still), "i-1", "i-2", width=2)
    assert part_of(transfer).runner == "i-2"
    transfer = told(transfer, *still)
    assert (part_of(transfer).runner, part_of(transfer).tries) == ("i-2", 1)
    lost = rules.lose(transfer, job_of(transfer), "gone")
    assert (part_of(lost).runner, part_of(lost).tries) == ("i-2", 1)


def test_a_file_that_one_job_has_restored_is_left_out_of_the_next_one_and_counted_with_it() -> None:
    first, second = Counters(records=3, inserted=3), Counters(records=4, inserted=2, existed=2)
    failed = a_part_status(state=FAILED, error="tool_failed", files_done=1, begun=True, counters=first)
    transfer = assigned(told(assigned(begun("test-00")), failed, state=JobState.FAILED))
    assert part_of(transfer).files_done == 1
    done = a_part_status(state=DONE, files_done=2, counters=second)
    part = part_of(told(transfer, done, state=JobState.DONE))
    assert (part.counters, part.files_done, part.repeated) == (first.plus(second), 2, True)


@pytest.mark.parametrize("state", [JobState.DEAD, JobState.FAILED, JobState.DONE])
def test_a_part_that_its_job_left_without_a_word_waits_for_another_try(state: JobState) -> None:
    transfer = told(assigned(begun("test-00")), a_part_status(percent=40), state=state)
    part = part_of(transfer)
    assert (part.runner, part.tries, transfer.jobs) == (None, 1, ())
    assert part.status is not None
    assert part.status.error is not None
    assert part.status.error.code == "job_gone"


def test_an_answer_of_the_order_before_is_no_word_about_the_one_that_was_given_now() -> None:
    transfer = assigned(begun("test-00"))
    job = job_of(transfer)
    after = rules.heard(transfer, job, a_job_status("older", a_part_status(state=DONE)), now=at(10))
    assert part_of(after) == part_of(transfer)
    assert (job_of(after).begun, job_of(after).commands, job_of(after).heard_at) == (False, (), at(10))


def test_a_host_that_has_forgotten_its_job_gives_its_parts_back_with_what_they_had_come_to() -> None:
    counters = Counters(records=3, inserted=3)
    transfer = told(assigned(begun("test-00")), a_part_status(files_done=1, counters=counters))
    part = part_of(rules.heard(transfer, job_of(transfer), JobStatus(state=JobState.NONE), now=at(20)))
    assert (part.files_done, part.counters, part.tries, part.runner) == (1, counters, 1, None)
    assert part.repeated, "what it wrote after its last word nobody knows"


def test_a_lost_runner_gets_nothing_more_and_another_one_goes_on_from_its_last_word() -> None:
    transfer = told(assigned(begun("test-00")), a_part_status(files_done=1, counters=Counters(records=3)))
    transfer = assigned(rules.lose(transfer, job_of(transfer), "no answer"), "i-1", "i-2")
    assert (job_of(transfer, "i-2").parts, transfer.lost) == (("test-00",), {"i-1": "no answer"})
    assert (part_of(transfer).files_done, part_of(transfer).repeated) == (1, True)


def test_a_runner_that_may_have_begun_what_it_never_confirmed_may_have_written_too() -> None:
    transfer = assigned(begun("test-00"))
    silent = rules.give_up_silent(transfer, a_policy(runner_silence_s=60), now=at(61))
    assert part_of(silent).repeated
    held = rules.lose(transfer, job_of(transfer), "job_running: another run's job lives on this host")
    assert not part_of(held).repeated, "it has said that it did not begin"


def test_a_runner_is_given_up_after_its_silence_and_no_sooner() -> None:
    transfer = assigned(begun("test-00"))
    assert rules.give_up_silent(transfer, a_policy(runner_silence_s=60), now=at(60)) == transfer
    given_up = rules.give_up_silent(transfer, a_policy(runner_silence_s=60), now=at(61))
    assert (given_up.jobs, given_up.lost) == ((), {"i-1": "no answer for 60 s"})


def test_a_runner_that_only_says_not_now_is_given_up_with_its_own_words() -> None:
    transfer = assigned(begun("test-00"))
    transfer = rules.not_begun(transfer, job_of(transfer), "vault_unreachable: no route")
    given_up = rules.give_up_silent(transfer, a_policy(runner_silence_s=60), now=at(61))
    assert given_up.lost == {"i-1": "vault_unreachable: no route"}


def test_a_part_whose_runners_were_all_silent_fails_with_what_is_known_of_each() -> None:
    transfer, runners = begun("test-00"), ("i-1", "i-2", "i-3")
    for number, _ in enumerate(runners, start=1):
        transfer = assigned(transfer, *runners)
        transfer = rules.give_up_silent(transfer, a_policy(runner_silence_s=60), now=at(61 * number))
    with pytest.raises(NotReadyError, match=r"part_failed: test-00 .*; i-2 was given up: no answer for 60 s; i-3 "):
        rules.require_hope(transfer, a_policy(tries=3), runners, now=at(200))


def test_an_order_that_was_refused_for_good_is_as_if_it_had_never_been_given() -> None:
    transfer = assigned(begun("test-00"))
    refused = rules.refuse(transfer, job_of(transfer))
    assert (refused, refused.touched) == (begun("test-00"), False)


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("disk_full", RejectedError, "use mode stream"),
        ("wrong_key", RejectedError, "name the key that the export was written with"),
        ("records_ignored", RejectedError, "lift what rejects writes there"),
        ("checksum_differs", CorruptError, "take another export"),
        ("listing_unreadable", CorruptError, "take another export"),
        ("count_differs", CorruptError, "the files do not hold what the tool said"),
        ("late", NotReadyError, "name more slices, or leave out exact"),
    ],
)
def test_what_another_try_cannot_help_ends_the_run_at_once_and_says_what_helps(
    code: str, kind: type[AerokeepError], remedy: str
) -> None:
    failed = told(assigned(begun("test-00")), a_part_status(state=FAILED, error=code), state=JobState.FAILED)
    with pytest.raises(kind) as ended:
        hope(failed, tries=10)
    assert ended.value.code == code
    assert f"test-00: what the host says of {code}: " in str(ended.value)
    assert remedy in str(ended.value)


def test_a_job_that_somebody_cancelled_ends_the_run_and_one_that_its_host_stopped_is_tried_again() -> None:
    parts = (a_part_status(state=FAILED, error="cancelled"),)
    stopped = told(assigned(begun("test-00")), *parts, state=JobState.FAILED)
    hope(stopped)
    with pytest.raises(NotReadyError, match="at last job_stopped"):
        hope(stopped, tries=1)
    with pytest.raises(ConflictError, match=r"cancelled: test-00: .*somebody has cancelled the job"):
        hope(told(assigned(begun("test-00")), *parts, state=JobState.CANCELLED))


def test_a_part_has_so_many_tries_and_the_last_words_about_it_are_told() -> None:
    transfer = begun("test-00")
    failed = a_part_status(state=FAILED, error="tool_failed")
    for number in range(2):
        hope(transfer, tries=2)
        transfer = told(assigned(transfer), failed, state=JobState.FAILED)
        assert part_of(transfer).tries == number + 1
    with pytest.raises(NotReadyError, match="part_failed: test-00 failed 2 times, at last tool_failed: test-00: what"):
        hope(transfer, tries=2)


def test_tries_are_bounded_also_where_no_job_ever_said_a_word_about_the_part() -> None:
    transfer = begun("test-00")
    for _ in range(2):
        hope(transfer, tries=2)
        transfer = told(assigned(transfer))  # it has begun, and tells of no part yet
        transfer = rules.heard(transfer, job_of(transfer), JobStatus(state=JobState.NONE), now=at(20))
    with pytest.raises(NotReadyError, match="part_failed: test-00 failed 2 times"):
        hope(transfer, tries=2)


def test_after_the_deadline_it_is_told_what_is_not_done() -> None:
    transfer = told(assigned(begun(*TWO)), a_part_status("test-00", DONE), a_part_status("test-01"))
    hope(transfer, seconds=100, deadline_s=100)
    with pytest.raises(NotReadyError, match=r"not_done: after 100 s these are not done: test-01$"):
        hope(transfer, seconds=101, deadline_s=100)


def test_what_is_done_is_done_also_after_the_deadline_and_without_a_runner() -> None:
    transfer = told(assigned(begun("test-00")), a_part_status(state=DONE), state=JobState.DONE)
    hope(transfer.model_copy(update={"lost": {"i-1": "x"}}), seconds=1000, deadline_s=100)


def test_without_a_runner_left_it_is_told_why_each_was_given_up() -> None:
    transfer = assigned(begun("test-00"))
    with pytest.raises(NotReadyError, match=r"no_runner: every host .*: i-1: the disk is on fire"):
        hope(rules.lose(transfer, job_of(transfer), "the disk is on fire"))


def test_a_run_that_goes_on_keeps_what_is_done_and_has_all_its_tries_and_runners_again() -> None:
    counters = Counters(records=3, inserted=3)
    done = a_part_status("test-00", DONE, files_done=1, counters=counters, summary=a_summary())
    transfer = told(assigned(begun(*TWO)), done, a_part_status("test-01", FAILED, error="records_ignored"))
    with pytest.raises(RejectedError, match="records_ignored"):
        hope(transfer)
    assert rules.go_on(transfer, epoch=1, now=at(500)) == transfer
    again = rules.go_on(transfer.model_copy(update={"lost": {"i-2": "x"}}), epoch=2, now=at(500))
    assert (again.epoch, again.begun_at, again.lost) == (2, at(500), {})
    assert part_of(again) == part_of(transfer)
    hope(again, seconds=501, deadline_s=100)  # what failed as it would again has been seen to meanwhile
    assert part_of(again, "test-01").tries == 0


def test_a_run_that_goes_on_asks_after_the_jobs_that_it_left_behind() -> None:
    transfer = told(assigned(begun("test-00")), a_part_status())
    transfer = transfer.model_copy(update={"jobs": (job_of(transfer).model_copy(update={"commands": ("c-1",)}),)})
    job = job_of(rules.go_on(transfer, epoch=2, now=at(5000)))
    assert (job.begun, job.commands, job.heard_at) == (True, (), at(5000))


def test_the_tool_and_the_check_of_its_key_are_kept_from_the_job_that_ran_it() -> None:
    tool = Tool(name="asbackup", version="4.5.8")
    transfer = told(assigned(begun("test-00")), a_part_status(), tool=tool, key_check="0123456789abcdef")
    assert (transfer.tool, transfer.key_check) == (tool, "0123456789abcdef")
    stale = a_job_status("older", tool=Tool(name="asbackup", version="1.0"), state=JobState.DONE)
    assert rules.heard(transfer, job_of(transfer), stale, now=at(20)).tool == tool


def test_the_end_is_that_of_the_job_that_ended_last() -> None:
    transfer = assigned(begun(*TWO), "i-1", "i-2", width=2)
    transfer = told(transfer, a_part_status("test-00", DONE), state=JobState.DONE, ended_at=200.0)
    transfer = told(transfer, a_part_status("test-01", DONE), runner="i-2", state=JobState.DONE, ended_at=150.0)
    assert (transfer.ended_at, transfer.done) == (200.0, True)


def test_a_transfer_counts_as_begun_once_a_host_was_asked() -> None:
    transfer = begun("test-00")
    assert not transfer.touched
    transfer = assigned(transfer)
    assert transfer.touched
    assert rules.lose(transfer, job_of(transfer), "gone").touched
    assert told(transfer, a_part_status(state=FAILED, error="tool_failed"), state=JobState.FAILED).touched


def test_an_order_whose_command_got_lost_may_have_been_carried_out_and_a_question_writes_nothing() -> None:
    transfer = assigned(begun("test-00"))
    asked_again = rules.command_lost(transfer, job_of(transfer), "the command got lost")
    assert (part_of(asked_again).repeated, job_of(asked_again).words) == (True, "the command got lost")
    followed = told(transfer, a_part_status())
    assert not part_of(rules.command_lost(followed, job_of(followed), "the command got lost")).repeated


def test_all_that_were_given_up_are_told() -> None:
    transfer = assigned(begun(*TWO), "i-1", "i-2", width=2)
    for runner in ("i-1", "i-2"):
        transfer = rules.lose(transfer, job_of(transfer, runner), f"{runner} is deaf")
    assert transfer.lost == {"i-1": "i-1 is deaf", "i-2": "i-2 is deaf"}
