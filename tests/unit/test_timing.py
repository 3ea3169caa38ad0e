"""What was measured of a try is what later ones must reckon with, failures included."""

from aerokeep.model.evidence import MountEvidence, Times
from aerokeep.rules.timing import quiet_after_s, slowest_s

from tests.builders import DATA_MOUNT, NOON, a_clock, an_evidence, at


def test_the_slowest_call_counts() -> None:
    assert slowest_s([(at(0), at(1.5)), (at(1), at(4.25))]) == 3.25
    assert slowest_s([]) is None


def test_a_cluster_is_quiet_when_its_last_node_is_frozen() -> None:
    evidence = {"i-1": an_evidence(1), "i-2": an_evidence(2, times={"flushed": 1.0, "frozen": 1.4})}
    assert quiet_after_s(NOON, evidence) == 1.4


def test_a_nodes_own_offset_is_taken_out() -> None:
    ahead = an_evidence(1, clock=a_clock(offset_s=0.5), times={"flushed": 1.1, "frozen": 1.2})
    assert quiet_after_s(NOON, {"i-1": ahead}) == 0.7


def test_data_that_was_written_back_late_counts_too() -> None:
    synced = an_evidence(1, synced={"/srv/test.dat": NOON.timestamp() + 2.5})
    assert quiet_after_s(NOON, {"i-1": synced}) == 2.5


def test_a_node_that_gave_up_took_at_least_so_long() -> None:
    gave_up = an_evidence(1, times={"lift_started": 5.0}, mounts={DATA_MOUNT: MountEvidence()})
    gave_up = gave_up.model_copy(update={"times": gave_up.times.model_copy(update={"flushed": None, "frozen": None})})
    assert quiet_after_s(NOON, {"i-1": gave_up, "i-2": an_evidence(2)}) == 5.0


def test_a_stop_that_was_called_off_before_it_began_tells_nothing() -> None:
    called_off = an_evidence(1).model_copy(update={"times": Times(armed=NOON.timestamp() - 5)})
    assert quiet_after_s(NOON, {"i-1": called_off}) is None
    assert quiet_after_s(NOON, {}) is None
