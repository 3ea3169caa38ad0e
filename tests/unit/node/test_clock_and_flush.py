"""The clock that chronyc reports, the window it bounds, and the proof that writes have reached the disk."""

import pytest
from aerokeep_node.clock import ClockReading, parse_tracking
from aerokeep_node.flush import FlushProof, short_flush
from aerokeep_node.namespaces import Activity
from aerokeep_node.refusal import RefusalError
from aerokeep_node.stop_writes import judge_window
from hypothesis import given
from hypothesis import strategies as st

LINE = "A9FEA97B,169.254.169.123,4,1700000000.1,0.25,0.1,0.1,12.3,0.1,0.1,0.004,0.001,16.1,Normal\n"


def test_a_clock_that_is_slow_of_the_truth_has_a_negative_offset() -> None:
    clock = parse_tracking(LINE, 100.0)
    assert clock is not None
    assert clock.offset_s == -0.25  # positive in chronyc's field 5 means slow
    assert clock.error_s == pytest.approx(0.003)
    assert clock.synchronised


@pytest.mark.parametrize(
    ("change", "to"), [("Normal", "Not synchronised"), ("A9FEA97B", "00000000"), ("A9FEA97B", "7F7F0101")]
)
def test_a_clock_synchronised_to_nothing_is_not_synchronised(change: str, to: str) -> None:
    clock = parse_tracking(LINE.replace(change, to), 100.0)
    assert clock is not None
    assert not clock.synchronised


@pytest.mark.parametrize("line", ["", "506 Cannot talk to daemon", LINE.replace("0.25", "x")])
def test_what_is_no_tracking_line_is_no_clock(line: str) -> None:
    assert parse_tracking(line, 100.0) is None


@given(st.floats(-100, 100), st.floats(-300, 300))
def test_a_window_is_judged_by_true_time_whatever_the_host_believes(offset_s: float, lead_s: float) -> None:
    true_now = 1_000_000.0
    clock = ClockReading("chronyc", True, offset_s, 0.001, true_now + offset_s)
    code = None
    try:
        judge_window(true_now + lead_s, true_now + lead_s + 10, clock)
    except RefusalError as refusal:
        code = refusal.code
    if abs(lead_s) > 0.001 and abs(lead_s - 120) > 0.001:
        assert code == ("too_late" if lead_s < 0 else "too_far" if lead_s > 120 else None)


def quiet(count: int = 1) -> Activity:
    return Activity({"client_write_success": count}, 0)


def test_never_flushing_is_shortened_too() -> None:
    assert [short_flush(ms) for ms in (0, 1000, 50, 20)] == [50, 50, 50, 20]


def test_the_proof_needs_twice_the_rhythm_and_three_looks() -> None:
    proof = FlushProof(50, 0.0)
    assert not proof.look(0.0, quiet(), 0)
    assert not proof.look(0.1, quiet(), 0)
    assert proof.look(0.25, quiet(), 0)


def test_two_looks_far_apart_prove_nothing() -> None:
    proof = FlushProof(50, 0.0)
    assert not proof.look(0.0, quiet(), 0)
    assert not proof.look(10.0, quiet(), 0)


def test_the_proof_waits_until_the_server_follows_the_shorter_rhythm() -> None:
    proof = FlushProof(50, 5.0)
    looks = [proof.look(now_s / 10, quiet(), 0) for now_s in range(60)]
    assert looks.index(True) == 52


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), max_size=40))
def test_no_proof_within_the_rhythm_after_anything_moved(looks: list[tuple[int, int, int]]) -> None:
    proof = FlushProof(50, 0.0)
    written, moved_at = 0, 0.0
    for step, (more, queued, busy) in enumerate(looks):
        now_s = step * 0.05
        written += more
        if more or queued or busy:
            moved_at = now_s
        proven = proof.look(now_s, Activity({"client_write_success": written + 1}, queued), busy)
        assert not proven or now_s - moved_at >= 0.2 - 1e-9
