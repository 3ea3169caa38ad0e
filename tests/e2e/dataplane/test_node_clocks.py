"""Each node has a clock of its own, and a chronyc that speaks of it in chrony's own layout."""

import subprocess
import sys
import time

import pytest

from sandbox.dataplane import DataPlane, NodeClock
from sandbox.dataplane.clock import compiler, tracking

NODE = "i-0aaaaaaaaaaaaaaa1"
NOW = 1_800_000_000.0
needs_compiler = pytest.mark.skipif(compiler() is None, reason="clocks of nodes need a C compiler (cc) on PATH")


def out(plane: DataPlane, *argv: str) -> str:
    process = plane.spawn(NODE, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    words = process.communicate()[0].decode().strip()
    assert process.returncode == 0, words
    return words


@needs_compiler
def test_a_node_shows_its_offset_and_its_monotonic_clock_is_true(plane: DataPlane) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0), clock=NodeClock(offset_s=-37.5))
    before = time.time()
    shown = float(out(plane, "date", "+%s.%N"))
    assert before - 37.5 <= shown <= time.time() - 37.5
    before = time.monotonic()
    shown = float(out(plane, sys.executable, "-c", "import time; print(time.monotonic())"))
    assert before <= shown <= time.monotonic()


@needs_compiler
def test_python_sleeps_and_waits_as_long_as_it_should_on_a_node_with_an_offset(plane: DataPlane) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0), clock=NodeClock(offset_s=1000.0))
    script = (
        "import threading, time, asyncio\n"
        "began = time.monotonic(); time.sleep(0.2); threading.Event().wait(0.2)\n"
        "lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=0.2); asyncio.run(asyncio.sleep(0.2))\n"
        "print(time.monotonic() - began)\n"
    )
    assert 0.8 <= float(out(plane, sys.executable, "-c", script)) < 8.0


@needs_compiler
def test_a_clock_changed_while_a_process_runs_is_seen_by_it_and_by_the_children_of_ended_parents(
    plane: DataPlane,
) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0), clock=NodeClock(offset_s=1.0))
    script = "read line; date +%s; (sleep 0.2; date +%s) &"
    process = plane.spawn(NODE, ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    plane.set_clock(NODE, NodeClock(offset_s=500.0))
    shown = process.communicate(b"go\n")[0].split()
    assert [abs(int(text) - time.time() - 500) < 5 for text in shown] == [True, True]


@needs_compiler
def test_a_drifting_clock_runs_away_at_its_rate_in_all_processes_alike(plane: DataPlane) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0), clock=NodeClock(drift_ppm=500_000))
    began = time.time()
    time.sleep(0.5)
    shown = float(out(plane, "date", "+%s.%N"))
    assert shown - began - 0.5 >= 0.24
    assert shown - time.time() <= (time.time() - began + 0.5) * 0.5
    deadline = time.monotonic() + 10
    while float(out(plane, "chronyc", "-n", "-c", "tracking").split(",")[4]) > -0.5:
        assert time.monotonic() < deadline, "the report must follow the drift"
        time.sleep(0.1)


def test_chronyc_of_a_node_comes_first_and_answers_in_both_layouts(plane: DataPlane) -> None:
    clock = NodeClock(error_s=0.004, synchronised=False, reported_offset_s=0.25)
    plane.add_node(NODE, private_ip=plane.node_ip(0), clock=clock)
    fields = out(plane, "chronyc", "-n", "-c", "tracking").split(",")
    assert len(fields) == 14
    assert fields[13] == "Not synchronised"
    assert float(fields[4]) == -0.25
    assert float(fields[10]) / 2 + float(fields[11]) == pytest.approx(0.004)
    assert "Leap status     : Not synchronised" in out(plane, "chronyc", "tracking").splitlines()
    refused = plane.spawn(NODE, ["chronyc", "makestep"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert refused.wait() == 1


def test_the_text_of_tracking_reads_as_chrony_writes_it() -> None:
    text = tracking(NodeClock(drift_ppm=-1.5), offset_s=-0.000000626, now=NOW)["tracking.txt"]
    assert text.splitlines() == [
        "Reference ID    : A9FEA97B (169.254.169.123)",
        "Stratum         : 4",
        "Ref time (UTC)  : Fri Jan 15 07:59:50 2027",
        "System time     : 0.000000626 seconds slow of NTP time",
        "Last offset     : +0.000000626 seconds",
        "RMS offset      : 0.000000626 seconds",
        "Frequency       : 1.500 ppm slow",
        "Residual freq   : +0.000 ppm",
        "Skew            : 0.010 ppm",
        "Root delay      : 0.002000000 seconds",
        "Root dispersion : 0.001000000 seconds",
        "Update interval : 16.1 seconds",
        "Leap status     : Normal",
    ]
