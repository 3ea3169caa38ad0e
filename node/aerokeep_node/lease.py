"""The lease's resident: armed before T0, it acts at T0 and undoes everything at T1 or earlier, whatever happens."""

import os
from typing import Any, Dict

from aerokeep_node import detach
from aerokeep_node.asd import Asd
from aerokeep_node.background import lock_memory, refuse_oom_kill
from aerokeep_node.barring import barred_for_s, why_barred
from aerokeep_node.clock import monotonic_s, read_clock
from aerokeep_node.evidence import Record
from aerokeep_node.flush import LONGEST_SLEEP_S
from aerokeep_node.let_go import LetGo
from aerokeep_node.pulse import Pulse, WriteStopEndError
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.route import route_of
from aerokeep_node.run_directory import ARMED, EVIDENCE, INTENT, RunDirectory
from aerokeep_node.undo import undo
from aerokeep_node.window import Window

BULK_SYNC_S = 4.0
PREPARE_S = LONGEST_SLEEP_S + 0.5
"""So long before T0 the flush rhythm is shortened, so that the server follows it when the proof begins."""
LOGIN_SLACK_S = 2.0
"""Where each question is a program that logs in first, undoing begins so long before T1, to be done by then."""
LATE_START_S = 0.5
"""A host that was suspended over T0 must not begin a window that the controller takes for over."""
SECOND_LINE_AFTER_S = 5.0


class Resident:
    """One lease, from arming to evidence."""

    def __init__(self, run: RunDirectory, request: Dict[str, Any]) -> None:
        self.run = run
        self.request = request
        self.record = Record(run.run, request["token"])
        self.record.node_id = request["node_id"]
        self.let_go = LetGo(request["let_go"], request["token"])
        self.pulse = Pulse(run, request["token"], self.let_go)
        self.window = Window(run, request, self.record, self.pulse)
        self.asd = Asd(run.tree)

    def arm(self) -> None:
        """Get everything ready that the window needs, and say so; nothing is changed yet.

        Raises:
            RefusalError: ``too_late``, ``tombstone`` or ``barred``.
            OSError: a filesystem can't be held.
            InfoSilenceError: the server does not answer.

        """
        self.pulse.heed_signals()
        refuse_oom_kill()
        memory_locked = lock_memory()
        self.window.get_ready()
        self.window.bulk_sync()
        clock = read_clock()
        slack_s = 0.0 if route_of(self.request["route"]).astools is None else LOGIN_SLACK_S
        self.pulse.set_deadlines(self.request["start_at"], self.request["end_at"] - slack_s, clock)
        if self.pulse.called_off():
            raise RefusalError("tombstone", "this run was resumed before it was armed")
        left_s = barred_for_s(self.run.tree)
        if left_s is not None:
            raise NotNowError("barred", why_barred(left_s))
        if monotonic_s() >= self.pulse.start_s:
            raise RefusalError("too_late", "T0 had passed when this host was ready")
        after_s = self.pulse.end_s - monotonic_s() + SECOND_LINE_AFTER_S
        second_line = detach.start_second_line(self.run.run, self.record.token, after_s=after_s, tree=self.run.tree)
        self.record.clocks.append(clock.as_json())
        self.record.stamp("armed")
        self._intend("armed")
        armed = {
            "armed_at": self.record.times["armed"],
            "start_at": self.request["start_at"],
            "end_at": self.request["end_at"],
            "clock": clock.as_json(),
            "former": self.request["former"],
            "second_line": second_line,
            "memory_locked": memory_locked,
        }
        self.let_go.begin(self.pulse.start_s)
        self.run.write(ARMED, armed)

    def live(self) -> None:
        """Go through the window; return when everything is undone and the evidence is written."""
        try:
            self._act()
        except WriteStopEndError as end:
            self._ended(end.reason, end.detail)
        except Exception as error:  # noqa: BLE001 - whatever it was, a cluster must not stay unwritable for it
            self._ended("failure", f"{type(error).__name__}: {error}")
        try:
            self._intend("undoing")
        except OSError as error:
            self.record.complain("intent", str(error))  # a full or vanished run directory must not hinder the undo
        undo(
            self.record,
            self.window.mounts,
            self.window.settings,
            asd_runs=self.asd.still_runs,
            before_lift=self.window.read_under_guard,
        )
        self._report()

    def _act(self) -> None:
        pulse, window = self.pulse, self.window
        pulse.wait_until(pulse.start_s - BULK_SYNC_S)
        window.bulk_sync()
        pulse.wait_until(pulse.start_s - PREPARE_S)
        self._end_if_late()  # here too: who slept over T0 must not even shorten the flush rhythm
        self._intend("shortening the flush rhythm")
        window.shorten_flush()
        pulse.wait_until(pulse.start_s)
        self._end_if_late()
        self._intend("guarding")
        window.guard()
        window.begin_copying_aside()
        window.prove_flushed()
        window.wait_for_copies()
        self._intend("freezing")
        window.make_durable()
        self._intend("holding")
        while True:
            window.watch_for_writes()
            pulse.tick()

    def _end_if_late(self) -> None:
        late_s = monotonic_s() - self.pulse.start_s
        if late_s > LATE_START_S:
            raise WriteStopEndError("failure", f"woke {late_s:.1f} s after T0")

    def _ended(self, reason: str, detail: str) -> None:
        if reason == "resume":
            self.record.stamp("told")
        elif self.let_go.trouble is not None:
            self.record.complain("let_go", self.let_go.trouble)
        started = self.record.times["guard_sent"] is not None
        self.record.ended_by = reason if started else "never_started"
        if detail:
            self.record.complain("window", detail)

    def _intend(self, state: str) -> None:
        """Write down, before the act, what somebody else needs to undo it."""
        intent = {
            "run": self.run.run,
            "token": self.record.token,
            "node_id": self.record.node_id,
            "state": state,
            "route": self.request["route"],
            "former": self.request["former"],
            "mounts": self.request["freeze"],
            "resident": os.getpid(),
            "clocks": self.record.clocks,
            "times": self.record.times,
        }
        self.run.write(INTENT, intent)

    def _report(self) -> None:
        self.let_go.end()
        self.window.report_aside()
        stepped_s = self.pulse.wall_clock_step_s()
        if stepped_s is not None:
            self.record.complain("clock", f"the wall clock was stepped by {stepped_s:+.3f} s")
        self.record.clocks.append(read_clock().as_json())
        self.run.create()
        self.run.write(EVIDENCE, self.record.as_json())
        detach.stop_second_line(self.run.run, self.record.token, self.run.tree)
