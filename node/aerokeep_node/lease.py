"""The lease's resident: guards, proves, freezes and holds between T0 and T1, and undoes all of it whatever happens."""

import os
import signal
import time
from types import FrameType
from typing import Any, Dict, List, Optional

from aerokeep_node import detach
from aerokeep_node.asd import Asd, cluster_state
from aerokeep_node.aside import Aside
from aerokeep_node.background import Task, lock_memory, refuse_oom_kill, sync_filesystem
from aerokeep_node.clock import ClockReading, monotonic_s, read_clock
from aerokeep_node.evidence import Record
from aerokeep_node.flush import LONGEST_SLEEP_S, FlushProof, short_flush
from aerokeep_node.freeze import HeldMount
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError
from aerokeep_node.namespaces import Activity, read_activity, transactions_in_progress
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import (
    ARMED,
    EVIDENCE,
    INTENT,
    REQUEST,
    RESUME,
    TOMBSTONE,
    RunDirectory,
)
from aerokeep_node.settings import NamespaceSettings, SetCall
from aerokeep_node.undo import undo

TICK_S = 0.02
PREPARE_S = LONGEST_SLEEP_S + 0.5
"""So long before T0 the flush rhythm is shortened, so that the server follows it when the proof begins."""
BULK_SYNC_S = 4.0
SETTLE_S = 0.3
"""After T0, every node of the cluster is guarded before any begins its proof."""
SAMPLE_S = 0.05
ASK_S = 1.0
PROOF_SHARE = 0.5
"""Guard and proof may take this share of the lease; a write stop that can't be proven is not held."""
LATE_START_S = 0.5
"""A host that was suspended over T0 must not begin a window that the controller takes for over."""
SECOND_LINE_AFTER_S = 5.0
STEP_OF_CLOCK_S = 0.02


class WriteStopEndError(Exception):
    """The window is over: ``reason`` is resume, lease or failure."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


class Resident:
    """One lease, from arming to evidence."""

    def __init__(self, run: RunDirectory, request: Dict[str, Any]) -> None:
        self.run = run
        self.request = request
        self.record = Record(run.run, request["token"])
        self.record.node_id = request["node_id"]
        self.asd = Asd(run.tree)
        self.reader = InfoConnection(request["address"], request["port"])
        self.settings = [
            NamespaceSettings(request["address"], request["port"], name, former)
            for name, former in request["former"].items()
        ]
        self.mounts: List[HeldMount] = []
        self.flush_ms: Dict[str, int] = {}
        self.shortened_s: Optional[float] = None
        self.tasks: List[Task] = []
        self.start_s = 0.0
        self.end_s = 0.0
        self._stop_signal: Optional[int] = None
        self._wall_minus_monotonic = 0.0

    # -- arming ---------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Get everything ready that the window needs, and say so; nothing is changed yet.

        Raises:
            RefusalError: ``too_late``, ``tombstone``, or what could not be opened.

        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        refuse_oom_kill()
        for mount_point in self.request["freeze"]:
            self.mounts.append(HeldMount(mount_point, self.run.tree))
        for one in self.settings:
            one.keep_connections_open(len(one.former))
        self.reader.open()
        self._bulk_sync()
        clock = read_clock()
        self._set_deadlines(clock)
        self._refuse_if_over()
        unlocked = lock_memory()
        if unlocked is not None:
            self.record.complain("arm", unlocked)
        second_line = detach.start_second_line(
            self.run.run,
            self.record.token,
            after_s=self.end_s - monotonic_s() + SECOND_LINE_AFTER_S,
            tree=self.run.tree,
        )
        self.record.clocks.append(clock.as_json())
        self.record.stamp("armed")
        self._intend("armed")
        armed = {"armed_at": self.record.times["armed"], "clock": clock.as_json(), "second_line": second_line}
        self.run.write(ARMED, dict(armed, **{key: self.request[key] for key in ("start_at", "end_at", "former")}))

    def _set_deadlines(self, clock: ClockReading) -> None:
        # T0 and T1 are true time; from here on only the monotonic clock counts, so that no step lengthens the lease.
        self._wall_minus_monotonic = time.time() - monotonic_s()
        true_minus_monotonic = self._wall_minus_monotonic - clock.offset_s
        self.start_s = self.request["start_at"] - true_minus_monotonic
        self.end_s = self.request["end_at"] - true_minus_monotonic

    def _refuse_if_over(self) -> None:
        if self.run.has(TOMBSTONE) or self.run.has(RESUME):
            raise RefusalError("tombstone", "this run was resumed before it was armed")
        if monotonic_s() >= self.start_s:
            raise RefusalError("too_late", "T0 had passed when this host was ready")

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        del frame
        self._stop_signal = number

    def _intend(self, state: str) -> None:
        """Write down, before the act, what somebody else needs to undo it."""
        intent = {
            "run": self.run.run,
            "token": self.record.token,
            "node_id": self.record.node_id,
            "state": state,
            "address": self.request["address"],
            "port": self.request["port"],
            "former": self.request["former"],
            "mounts": self.request["freeze"],
            "resident": os.getpid(),
            "clocks": self.record.clocks,
            "times": self.record.times,
        }
        self.run.write(INTENT, intent)

    # -- the window -----------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Go through the window; return when everything is undone and the evidence is written."""
        try:
            self._window()
        except WriteStopEndError as end:
            self._ended(end.reason, end.detail)
        except (InfoError, InfoSilenceError, OSError, ValueError) as error:
            self._ended("failure", f"{type(error).__name__}: {error}")
        except BaseException as error:
            # A defect of ours must not leave the cluster unwritable either; undo first, then let it be seen.
            self._ended("failure", f"{type(error).__name__}: {error}")
            self._undo_and_report()
            raise
        self._undo_and_report()

    def _window(self) -> None:
        self._wait_until(self.start_s - BULK_SYNC_S)
        self._bulk_sync()
        self._wait_until(self.start_s - PREPARE_S)
        self._shorten_flush()
        self._wait_until(self.start_s)
        if monotonic_s() - self.start_s > LATE_START_S:
            raise WriteStopEndError("failure", f"woke {monotonic_s() - self.start_s:.1f} s after T0")
        self._guard()
        self._copy_aside()
        self._prove()
        self._make_durable()
        self._intend("holding")
        while True:
            self._tick()

    def _ended(self, reason: str, detail: str) -> None:
        started = self.record.times["guard_sent"] is not None
        self.record.ended_by = reason if started else "never_started"
        if detail:
            self.record.complain("window", detail)

    def _tick(self, longest_s: float = TICK_S) -> None:
        """Look whether the window is over, and rest a moment if not."""
        if self._stop_signal is not None:
            raise WriteStopEndError("failure", f"ended by signal {self._stop_signal}")
        if self.run.has(RESUME) or self.run.has(TOMBSTONE):
            raise WriteStopEndError("resume")
        if monotonic_s() >= self.end_s:
            raise WriteStopEndError("lease")
        request = self.run.read(REQUEST)
        if request is None or request.get("token") != self.record.token:
            raise WriteStopEndError("failure", "the run directory does not carry this token any more")
        time.sleep(max(0.0, min(longest_s, self.end_s - monotonic_s())))

    def _wait_until(self, instant_s: float) -> None:
        while monotonic_s() < instant_s:
            self._tick(min(TICK_S, max(0.0, instant_s - monotonic_s())))

    def _bulk_sync(self) -> None:
        """Write back most of what is dirty before the window, so that the freeze in it is short."""
        if any(not task.done for task in self.tasks):
            return
        for path in self.request["files"]:
            self.tasks.append(Task("sync " + path, lambda path=path: sync_filesystem(path)))  # type: ignore[misc] # bound now

    def _shorten_flush(self) -> None:
        self._intend("shortening the flush rhythm")
        calls = []
        for one in self.settings:
            config = one.read()
            if config is None or one.different(config):
                # Somebody else changed it meanwhile: what to restore is not known any more, so leave this node alone.
                raise WriteStopEndError("failure", f"{one.name}: settings changed since arming")
            former = config.number("flush-max-ms")
            if former is None:
                self.flush_ms[one.name] = 1000
                continue
            self.flush_ms[one.name] = short_flush(former)
            if self.flush_ms[one.name] != former:
                calls.append((one, one.send("flush-max-ms", str(self.flush_ms[one.name]))))
        self._await([call for _, call in calls], until_s=self.start_s)
        for one, call in calls:
            if call.state != "ok":
                former_ms = int(one.former["flush-max-ms"])
                self.flush_ms[one.name] = former_ms or 1000
                self.record.complain("flush-max-ms", f"{one.name}: {call.state} {call.detail}")
        self.shortened_s = monotonic_s()

    def _await(self, calls: List[SetCall], *, until_s: float) -> None:
        while any(call.look() == "waiting" for call in calls) and monotonic_s() < until_s:
            self._tick(0.002)

    def _guard(self) -> None:
        """Reject client writes in every namespace, and read back that it is so."""
        self._intend("guarding")
        self.record.stamp("guard_sent")
        calls = []
        for one in self.settings:
            guard, on = self.request["guards"][one.name]
            calls.append(one.send(guard, on))
        self._await(calls, until_s=self._proof_deadline_s())
        for call in calls:
            if call.state != "ok":
                self.record.complain("guard", f"{call.setting} {call.state}: {call.detail}")
        self.record.guarded_at_start = self._all_guarded()
        if not self.record.guarded_at_start:
            raise WriteStopEndError("failure", "not every namespace could be guarded")
        self.record.stamp("guarded")
        self._tick(0.0)

    def _proof_deadline_s(self) -> float:
        return self.start_s + PROOF_SHARE * (self.end_s - self.start_s)

    def _all_guarded(self) -> bool:
        configs = [one.read() for one in self.settings]
        return all(config is not None and config.guarded for config in configs)

    def _copy_aside(self) -> None:
        """Begin to copy SMD and conf while the guard holds; the freeze waits for it."""
        self.record.smd["before"] = self._ask("smd-info")
        self.aside = Aside(self.run)
        request = self.request
        self.copying = Task("aside", lambda: self.aside.copy(request["work_directory"], request["conf_path"]))

    def _ask(self, command: str) -> Optional[str]:
        try:
            return self.reader.ask(command, ASK_S)
        except (InfoError, InfoSilenceError) as error:
            self.record.complain(command, str(error))
            return None

    def _prove(self) -> None:
        """Wait until everything acknowledged has left the server's buffers."""
        self._wait_until(self.start_s + SETTLE_S)
        self.record.stamp("settle_started")
        rhythm_s = (self.shortened_s or monotonic_s()) + LONGEST_SLEEP_S
        proofs = {one.name: FlushProof(self.flush_ms[one.name], rhythm_s) for one in self.settings}
        activities: Dict[str, Activity] = {}
        while True:
            self._tick(SAMPLE_S)
            busy = transactions_in_progress(self.reader, ASK_S)
            for name, proof in proofs.items():
                activities[name] = read_activity(self.reader, name, ASK_S)
                proof.look(monotonic_s(), activities[name], busy)
            if all(proof.proven for proof in proofs.values()):
                break
            if monotonic_s() >= self._proof_deadline_s():
                late = sorted(name for name, proof in proofs.items() if not proof.proven)
                raise WriteStopEndError("failure", "no flush proof in time for {}".format(", ".join(late)))
        self.record.stamp("flushed")
        for one in self.settings:
            before = activities[one.name].as_json()
            self.record.namespaces[one.name] = _namespace(one.former, before=before, flushed=True)
        self.record.cluster["before"] = cluster_state(self.reader, ASK_S)

    def _make_durable(self) -> None:
        """Freeze what may be frozen, and write back file data on what may not; both beside each other."""
        while not self.copying.done:
            self._tick()
        self._intend("freezing")
        syncs = {path: self._sync(path) for path in self.request["sync"]}
        frozen = [mount for mount in self.mounts if self._begin_freeze(mount)]
        while not all(mount.freeze_ended() for mount in frozen):
            self._tick(0.002)
        for mount in self.mounts:
            if mount.frozen_at is None:
                # Guarded and written back loses nothing either (measured), so hold on with that.
                syncs.update({path: self._sync(path) for path in self.request["files_of"][mount.mount_point]})
        if self.mounts and all(mount.frozen_at is not None for mount in self.mounts):
            self.record.times["frozen"] = max(mount.frozen_at or 0.0 for mount in self.mounts)
        while not all(task.done for task in syncs.values()):
            self._tick(0.002)
            self._note_synced(syncs)
        self._note_synced(syncs)

    def _sync(self, path: str) -> Task:
        return Task("sync " + path, lambda: sync_filesystem(path))

    def _note_synced(self, syncs: Dict[str, Task]) -> None:
        for path, task in syncs.items():
            if task.done and path not in self.record.synced:
                if task.error is None:
                    self.record.synced[path] = time.time()
                else:
                    self.record.complain("sync", task.error)

    def _begin_freeze(self, mount: HeldMount) -> bool:
        try:
            mount.begin_freeze()
        except OSError as error:
            mount.errors.append(f"freeze {mount.mount_point}: {error}")
            return False
        return True

    # -- afterwards -----------------------------------------------------------------------------------------------

    def _undo_and_report(self) -> None:
        self._intend("undoing")
        undo(self.record, self.mounts, self.settings, asd_runs=self.asd.still_runs, before_lift=self._read_under_guard)
        self._finish()

    def _read_under_guard(self) -> None:
        """Read what must not have changed since the proof, while the guard still holds."""
        if self.record.times["guarded"] is None:
            return
        self.record.guarded_at_end = self._all_guarded()
        try:
            for one in self.settings:
                known = self.record.namespaces.setdefault(one.name, _namespace(one.former, before={}, flushed=False))
                known["after"] = read_activity(self.reader, one.name, ASK_S).as_json()
                known["unchanged"] = known["flushed"] and known["after"] == known["before"]
            self.record.cluster["after"] = cluster_state(self.reader, ASK_S)
        except (InfoError, InfoSilenceError) as error:
            self.record.complain("after", str(error))
        self.record.smd["after"] = self._ask("smd-info")

    def _finish(self) -> None:
        aside = getattr(self, "aside", None)
        if aside is not None and self.copying.done:
            self.record.aside = aside.as_json()
            for error in aside.errors + ([self.copying.error] if self.copying.error else []):
                self.record.complain("aside", error)
        stepped_s = time.time() - monotonic_s() - self._wall_minus_monotonic
        if abs(stepped_s) > STEP_OF_CLOCK_S:
            self.record.complain("clock", f"the wall clock was stepped by {stepped_s:+.3f} s")
        self.record.clocks.append(read_clock().as_json())
        self.run.write(EVIDENCE, self.record.as_json())
        detach.stop_second_line(self.run.run, self.record.token)


def _namespace(former: Dict[str, str], *, before: Dict[str, int], flushed: bool) -> Dict[str, Any]:
    return {"former": former, "before": before, "after": {}, "unchanged": False, "flushed": flushed}
