"""The world in which it shows whether a label looks from the first cut to the last, or at each node's own cut."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.writer import Writer
from tests.witness.lane import Lane

SLEEPS_S = (0.4, 1.9)
"""After T0: the third node's host program gets no time to run, and has not proven its flush yet."""
FREED_S = 1.6
"""After T0: an operator resumes the first node by hand; it was cut, and the third one was not."""
PAUSE_S = (2.3, 5.2)
"""After T0: clients pause, so that the third node can prove its flush after all."""
PATIENCE_S = 60.0
POLL_S = 0.02


def stagger(lane: Lane, writer: Writer) -> None:
    """Let one node take writes again before another one is flushed: all were guarded, and each is quiet at its cut.

    What the first node then takes misses in its own copy and in the second one's, and is there in the third one's.
    """
    run = _armed_run(lane)
    start_at = float(_request(lane, 1, run)["start_at"])
    third, resident = lane.instance(3), _resident(lane, 3, run)
    _at(start_at + SLEEPS_S[0], lambda: _kill(lane, third, "STOP", resident))
    _at(start_at + FREED_S, (_directory(lane, 1, run) / "resume").touch)
    _at(start_at + SLEEPS_S[1], lambda: _kill(lane, third, "CONT", resident))
    _at(start_at + PAUSE_S[0], writer.pause)
    _at(start_at + PAUSE_S[1], writer.go_on)


def _at(instant: float, act: Callable[[], object]) -> None:
    time.sleep(max(0.0, instant - time.time()))
    act()


def _kill(lane: Lane, instance_id: str, signal: str, pid: int) -> None:
    lane.site.plane.spawn(instance_id, ["kill", f"-{signal}", str(pid)], stdin=subprocess.DEVNULL).wait()


def _armed_run(lane: Lane) -> str:
    """The run for which every node has been armed."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for run in _runs(lane, 1).glob("*"):
            everywhere = [_directory(lane, number, run.name) for number in (1, 2, 3)]
            if all((d / "armed.json").exists() and not (d / "evidence.json").exists() for d in everywhere):
                return run.name
        time.sleep(POLL_S)
    raise TimeoutError("no write stop was armed")


def _runs(lane: Lane, number: int) -> Path:
    return lane.root(number) / "run/aerokeep"


def _directory(lane: Lane, number: int, run: str) -> Path:
    return _runs(lane, number) / run


def _request(lane: Lane, number: int, run: str) -> dict[str, Any]:
    return dict(json.loads((_directory(lane, number, run) / "request.json").read_text()))


def _resident(lane: Lane, number: int, run: str) -> int:
    return int(json.loads((_directory(lane, number, run) / "intent.json").read_text())["resident"])
