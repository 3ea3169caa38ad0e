"""The world in which it shows whether a label looks from the first cut to the last, or at each node's own cut."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.region import ApiCall
from sandbox.writer import Writer
from tests.witness.lane import Lane

ASLEEP_FROM_S = 0.35
"""After T0: the third node's host program gets no time to run. Its guard is set, its flush is not proven yet."""
KNOWN_S = 0.4
"""Between a cut and what must not come too close to it: clocks are not known better."""
FLOWING_S = 0.7
"""For so long writes reach the first node again, and their copies the others."""
PATIENCE_S = 60.0
POLL_S = 0.02


def stagger(lane: Lane, writer: Writer) -> None:
    """Let one node take writes again before another one is flushed: all were guarded, and each is quiet at its cut.

    What the first node then takes misses in its own copy and in the second one's, and is there in the third one's.
    """
    cut: set[str] = set()

    def answered(call: ApiCall) -> None:
        if (call.service, call.action) == ("ec2", "CreateSnapshots"):
            cut.add(str(call.params["InstanceSpecification"]["InstanceId"]))

    with lane.site.region.faults.during(after=answered):
        run = _armed_run(lane)
        start_at = float(_read(lane, 3, run, "request.json")["start_at"])
        resident = int(_read(lane, 3, run, "intent.json")["resident"])
        time.sleep(max(0.0, start_at + ASLEEP_FROM_S - time.time()))
        _kill(lane, "STOP", resident)
        try:
            _until(lambda: {lane.instance(1), lane.instance(2)} <= cut, "two nodes are cut")
            time.sleep(KNOWN_S)
            (_directory(lane, 1, run) / "resume").touch()  # an operator resumes the first node by hand
            _until((_directory(lane, 1, run) / "evidence.json").exists, "the first node is resumed")
        finally:
            _kill(lane, "CONT", resident)
        time.sleep(FLOWING_S)
        writer.pause()  # without it the third node could not prove its flush any more
        try:
            _until(lambda: _read(lane, 3, run, "intent.json")["state"] not in ("guarding", "freezing"), "it holds")
            time.sleep(KNOWN_S)
            lane.go_file.touch()
            _until(lambda: lane.instance(3) in cut, "the third node is cut")
            time.sleep(KNOWN_S)
        finally:
            writer.go_on()


def _kill(lane: Lane, signal: str, pid: int) -> None:
    lane.site.plane.spawn(lane.instance(3), ["kill", f"-{signal}", str(pid)], stdin=subprocess.DEVNULL).wait()


def _until(there: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not there():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {PATIENCE_S:g} s")
        time.sleep(POLL_S)


def _armed_run(lane: Lane) -> str:
    """The run for which every node has been armed, once there is one."""
    found: list[str] = []

    def there() -> bool:
        for run in _runs(lane, 1).glob("*"):
            everywhere = [_directory(lane, number, run.name) for number in (1, 2, 3)]
            if all((d / "armed.json").exists() and not (d / "evidence.json").exists() for d in everywhere):
                found.append(run.name)
        return bool(found)

    _until(there, "a write stop is armed")
    return found[0]


def _runs(lane: Lane, number: int) -> Path:
    return lane.root(number) / "run/aerokeep"


def _directory(lane: Lane, number: int, run: str) -> Path:
    return _runs(lane, number) / run


def _read(lane: Lane, number: int, run: str, name: str) -> dict[str, Any]:
    return dict(json.loads((_directory(lane, number, run) / name).read_text()))
