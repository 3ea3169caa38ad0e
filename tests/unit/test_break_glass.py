"""Break-glass: what may be resumed, and a report that leaves no node out."""

from datetime import UTC, datetime

import pytest
from aerokeep.model.errors import RejectedError
from aerokeep.model.resumption import Cause, HostResumption, RemainingGuard
from aerokeep.model.run import LockState, RunRef
from aerokeep.rules.break_glass import judge_resume, report
from hypothesis import given
from hypothesis import strategies as st

RUN = "demo-restore-20260101T000000Z"
guards = st.builds(
    RemainingGuard,
    namespace=st.sampled_from(["test", "raw"]),
    setting=st.just("reject-non-xdr-writes"),
    value=st.just("true"),
    cause=st.sampled_from(Cause),
    lifted=st.booleans(),
)
answers = st.builds(
    HostResumption,
    state=st.sampled_from(["resumed", "nothing_to_resume", "undoing"]),
    runs=st.dictionaries(st.just("a-run"), st.just("resumed")),
    guards=st.lists(guards, max_size=2).map(tuple),
    unread=st.sampled_from([None, "asd_silent: no answer", "asd_not_running: no process"]),
)
nodes = st.sampled_from([f"i-{number}" for number in range(6)])


def a_lock(state: str, run_id: str = RUN) -> LockState:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    run = RunRef(cluster="demo", journey="restore", run_id=run_id, epoch=1, execution="arn", started_at=at)
    return LockState.model_validate({"run": run, "state": state, "reason": "half done"})


def test_a_lock_that_is_held_or_free_keeps_nobody_from_resuming() -> None:
    judge_resume("demo", [], named=None)
    judge_resume("demo", [a_lock("held")], named=None)
    judge_resume("demo", [a_lock("held"), a_lock("halted")], named=RUN)


@pytest.mark.parametrize(
    ("locks", "named", "words"),
    [
        ([a_lock("halted")], None, f'add "halted": "{RUN}"'),
        ([a_lock("halted")], "other-restore-20260101T000000Z", f"{RUN} holds it"),
        ([a_lock("held")], RUN, "not_halted"),
        ([], RUN, "nobody holds it"),
    ],
)
def test_a_halted_run_must_be_named_and_no_other(locks: list[LockState], named: str | None, words: str) -> None:
    with pytest.raises(RejectedError, match=words):
        judge_resume("demo", locks, named=named)


@given(st.dictionaries(nodes, answers), st.dictionaries(nodes, st.just("not reached through SSM")))
def test_every_node_is_told_of_and_done_means_that_writes_flow(
    heard: dict[str, HostResumption], not_heard: dict[str, str]
) -> None:
    heard = {i: told for i, told in heard.items() if i not in not_heard}
    told = report(heard, not_heard)
    assert {*told.resumed, *told.nothing_to_resume, *told.not_heard} == {*heard, *not_heard}
    closed = any(not g.lifted and g.cause is not Cause.CONF for h in heard.values() for g in h.guards)
    undoing = any(h.state == "undoing" for h in heard.values())
    if told.done:
        assert not closed
        assert not undoing
        assert not not_heard
        assert not any((h.unread or "").startswith("asd_silent") for h in heard.values())
    else:
        assert told.words
        assert all(i in told.words for i in told.not_heard)
