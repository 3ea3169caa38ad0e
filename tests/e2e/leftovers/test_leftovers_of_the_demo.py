"""Nothing of ours is left on the machine after the demo: when it ended, and when it was killed midway and swept."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.dataplane import probe
from tests.e2e.leftovers.traces import TEST_MARK, clean, processes_of, traces

pytestmark = pytest.mark.sampled

REPOSITORY = Path(__file__).parents[3]
LONGEST_S = 120.0
SMALL = ("--rate", "100", "--load-s", "0.3")
NAMESPACES = pytest.param("namespaces", marks=pytest.mark.root)


class Demo:
    """``python -m sandbox.demo`` as a process of its own, with a temporary folder of its own."""

    def __init__(self, mode: str) -> None:
        self.temporary = Path(tempfile.mkdtemp(prefix="aerokeep-demo-"))
        self._log = self.temporary.with_suffix(".log")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["functions", "node"]),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.temporary),
            TEST_MARK: str(self.temporary),
        }
        with self._log.open("wb") as words:
            argv = [sys.executable, "-m", "sandbox.demo", *SMALL, *(() if mode == "best" else ("--mode", mode))]
            self._process = subprocess.Popen(argv, cwd=REPOSITORY, env=environment, stdout=words, stderr=words)
        self.pid = self._process.pid

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    def wait_for(self, what: Callable[["Demo"], bool]) -> None:
        """Wait until something is so."""
        give_up = time.monotonic() + LONGEST_S
        while not what(self):
            assert self._process.poll() is None, self.said
            assert time.monotonic() < give_up, self.said
            time.sleep(0.1)

    def wait(self) -> int:
        """Wait for its end → its exit code."""
        return self._process.wait(timeout=LONGEST_S)

    def kill(self) -> None:
        """Kill it so that it can't put anything away."""
        self._process.kill()
        assert self._process.wait(timeout=30) == -signal.SIGKILL

    @property
    def left(self) -> list[str]:
        """What is there of it."""
        return traces(pid=self.pid, temporary=self.temporary)

    def forget(self) -> None:
        """Sweep whatever a failed test leaves."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=30)
        clean(self.temporary)
        shutil.rmtree(self.temporary, ignore_errors=True)
        self._log.unlink()


@pytest.fixture
def demo(request: pytest.FixtureRequest) -> Iterator[Demo]:
    if not (REPOSITORY / "cdk.out/manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    if request.param == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    made = Demo(request.param)
    try:
        yield made
    finally:
        made.forget()


def in_the_window(demo: Demo) -> bool:
    """The backup has come to the state that waits for the write stop and cuts in it."""
    return "CutSnapshots" in demo.said


def frozen(demo: Demo) -> bool:
    """Some host has frozen its filesystem and not begun to thaw it."""
    return any(
        json.loads(intent)["state"] == "holding"
        for pid in processes_of(demo.pid)
        for intent in _intents(Path(f"/proc/{pid}/root/run/aerokeep"))
    )


def _intents(folder: Path) -> list[str]:
    try:
        return [path.read_text() for path in folder.glob("*/intent.json")]
    except OSError:
        return []  # a process that is gone, or one of the sandbox outside of every node


@pytest.mark.parametrize("demo", ["best"], indirect=True)
def test_no_leftovers_when_the_demo_has_ended(demo: Demo) -> None:
    demo.wait_for(in_the_window)
    assert any(trace.startswith("process") for trace in demo.left), "the checker must see a living run"
    assert demo.wait() in (0, 1), demo.said  # whether the point kept its promise is the demo's own business
    assert "backup" in demo.said
    assert demo.left == [], demo.said


@pytest.mark.parametrize("demo", [NAMESPACES, "directory"], indirect=True)
def test_no_leftovers_of_a_demo_killed_during_the_backup_after_clean(demo: Demo) -> None:
    demo.wait_for(in_the_window)
    demo.kill()
    assert demo.left != [], "a killed demo must have left something to be swept"
    assert clean(demo.temporary) != ""
    assert demo.left == []


@pytest.mark.parametrize("demo", [NAMESPACES], indirect=True)
def test_no_leftovers_of_a_demo_killed_while_filesystems_are_frozen_after_clean(demo: Demo) -> None:
    demo.wait_for(frozen)
    demo.kill()
    time.sleep(2)  # long enough for everything to go that goes by itself
    assert any(trace.startswith("loop device") for trace in demo.left), "a freeze must have kept its device"
    assert "freeze" in clean(demo.temporary)
    assert demo.left == []
