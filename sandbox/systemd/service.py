"""One service of a node: its process, who watches it, and what became of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.systemd.process import Process, State, ended, program_of, ticks_of
from sandbox.systemd.units import Unit, UnitError, UnitFiles, command, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES = "run/units"
"""Folder of what is known of services; gone with the node's power."""
KEPT_ENVIRONMENT = (
    *("PATH", "LANG", "TMPDIR", "LD_PRELOAD"),
    *("AEROKEEP_ROOT", "AEROKEEP_CLOCK", "AEROKEEP_SANDBOX", "AEROKEEP_INSTANCE"),
)
"""What init gives every service: its tree, its clock, and the marks by which a power loss finds it."""
EXEC_FAILED = 203
_POLL_S = 0.02
_KILLED_S = 60.0
_MOST_DESCRIPTORS = 256
_PATH_OPTIONS = ("--config-file", "-f")


class Service:
    """A service, by what stands about it below ``run/units``."""

    def __init__(self, files: UnitFiles, name: str) -> None:
        self._files = files
        self.name = name
        self.folder = files.root / STATES / name

    # -- what is known -------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Look: the watcher's record, and whether the process is there."""
        process = self._process()
        if process is not None and not process.ended and ticks_of(process.pid) != process.ticks:
            process = self._last_words(process)
        if process is None:
            return State("inactive", "dead", None)
        if not process.ended:
            return State("deactivating", "stop-sigterm", process) if self._stopping else self._running(process)
        good = process.result == "success"
        return State("inactive", "dead", process) if good else State("failed", "failed", process)

    @staticmethod
    def _running(process: Process) -> State:
        return State("active", "running", process)

    def _last_words(self, process: Process) -> Process:
        """The process is gone: its watcher says how in a moment, unless it was killed too."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            told = self._process()
            if told is not None and told.ended:
                return told
            time.sleep(_POLL_S)
        return Process(**{**asdict(process), "result": "signal", "signal": signal.SIGKILL})

    @property
    def _stopping(self) -> bool:
        return (self.folder / "stopping").exists()

    def _process(self) -> Process | None:
        try:
            told = json.loads((self.folder / "process.json").read_text())
        except FileNotFoundError:
            return None
        return Process(**{**told, "argv": tuple(told["argv"])})

    def _write(self, process: Process) -> None:
        draft = self.folder / "process.json.new"
        draft.write_text(json.dumps(asdict(process)))
        draft.rename(self.folder / "process.json")

    def loaded(self) -> Unit | None:
        """The unit as systemd holds it: as its files were when it was loaded."""
        file = self.folder / "loaded.json"
        if file.exists():
            return Unit.from_json(file.read_text())
        return self.load()

    def load(self) -> Unit | None:
        """Read its files anew."""
        unit = self._files.read(self.name)
        if unit is None:
            (self.folder / "loaded.json").unlink(missing_ok=True)
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "loaded.json").write_text(unit.to_json())
        return unit

    @contextlib.contextmanager
    def _one_job(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # -- jobs ----------------------------------------------------------------------------------------------------

    def start(self, unit: Unit) -> None:
        """Start it unless it runs; returns when its program has been started, as for ``Type=simple``."""
        if self.state().active == "deactivating":
            self.wait_stopped(unit)
        with self._one_job():
            if self.state().active != "active":
                for mark in ("stopping", "timed-out"):
                    (self.folder / mark).unlink(missing_ok=True)
                self._launch(unit)

    def _launch(self, unit: Unit) -> None:
        """Leave a watcher behind, which no longer belongs to whoever called."""
        try:
            variables = environment(unit, self._files)
        except UnitError as error:
            self._say(f"{self.name}: {error}")
            self._write(Process(0, 0, (), time.time(), result="resources"))
            return
        argv = self._rooted(command(unit.last("ExecStart"), variables))
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            os.setsid()
            self._watch(argv, variables, writer)
        os.close(writer)
        os.read(reader, 1)  # until the program runs, or the watcher has ended
        os.close(reader)

    def _rooted(self, argv: list[str]) -> list[str]:
        """Where nodes are folders, a conf of the node lies below its folder."""
        rooted = list(argv)
        for at, word in enumerate(argv[:-1]):
            if word in _PATH_OPTIONS:
                rooted[at + 1] = str(self._files.path(argv[at + 1]))
        return rooted

    def _watch(self, argv: list[str], variables: dict[str, str], writer: int) -> None:
        """Run the program, record it, and record its end; never returns."""
        try:
            self._let_go(writer)
            self._run(argv, variables, writer)
        finally:
            os._exit(0)

    def _let_go(self, writer: int) -> None:
        """Keep no descriptor of the caller's (its words, the job's lock), nor its folder."""
        nothing = os.open(os.devnull, os.O_RDWR)
        console = os.open(self.folder / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for source, target in ((nothing, 0), (console, 1), (console, 2)):
            os.dup2(source, target)
        os.closerange(3, writer)
        os.closerange(writer + 1, _MOST_DESCRIPTORS)
        os.chdir("/")

    def _run(self, argv: list[str], variables: dict[str, str], writer: int) -> None:
        kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
        words, program, extra = program_of(argv)
        began = time.time()
        try:
            main = subprocess.Popen(words, executable=program, env={**kept, **variables, **extra})
        except OSError as error:
            self._say(f"{self.name}: Failed to execute {argv[0]}: {error.strerror}")
            self._write(Process(0, 0, tuple(argv), began, result="exit-code", status=EXEC_FAILED))
            return
        process = Process(main.pid, ticks_of(main.pid), tuple(words), began)
        self._write(process)
        self._show(main.pid)
        os.write(writer, b"1")
        os.close(writer)
        self._write(ended(process, main.wait(), timed_out=(self.folder / "timed-out").exists()))

    def _say(self, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "console.log").open("a") as console:
            console.write(f"{text}\n")

    def _show(self, pid: int) -> None:
        """Where nodes are folders, let the process appear in the node's /proc."""
        if self._files.root != Path("/"):
            with contextlib.suppress(OSError):
                (self._files.root / "proc" / str(pid)).symlink_to(f"/proc/{pid}")

    def ask_to_stop(self) -> bool:
        """Send what ends it; → whether there was anything to end."""
        with self._one_job():
            state = self.state()
            if state.main_pid == 0:
                return False
            if state.active == "active":
                (self.folder / "stopping").touch()
                self.kill(signal.SIGTERM)
            return True

    def wait_stopped(self, unit: Unit | None) -> None:
        """Wait for its end; what takes longer than the unit allows is killed."""
        deadline = time.monotonic() + stop_timeout_s(unit)
        while self.state().main_pid and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        if self.state().main_pid:
            (self.folder / "timed-out").touch()
            self.kill(signal.SIGKILL)
            deadline = time.monotonic() + _KILLED_S
            while self.state().main_pid and time.monotonic() < deadline:  # one on a frozen disk does not end
                time.sleep(_POLL_S)

    def words(self) -> list[str]:
        """What its programs have said."""
        file = self.folder / "console.log"
        return file.read_text(errors="replace").splitlines() if file.exists() else []

    def kill(self, number: signal.Signals) -> bool:
        """Send a signal to the main process; → whether there is one."""
        pid = self.state().main_pid
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid != 0

    def forget_failure(self) -> None:
        """Call it ``inactive`` again (``reset-failed``)."""
        if self.state().active == "failed":
            (self.folder / "process.json").unlink()


def stop_timeout_s(unit: Unit | None) -> float:
    """How long a stop may take before the process is killed; 90 s where nothing is set, as for a masked unit."""
    text = (unit.last("TimeoutStopSec") or unit.last("TimeoutSec") if unit else "") or "90"
    scales = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0}
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    return float(number) * scales.get(text[len(number) :].strip() or "s", 1.0)
