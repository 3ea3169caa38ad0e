"""What happens between T0 and T1, act by act: guard, copy aside, prove flushed, freeze or write back, read again."""

import time
from typing import Any, Callable, Dict, List, Optional

from aerokeep_node.asd import cluster_state
from aerokeep_node.aside import Aside
from aerokeep_node.background import Task, sync_filesystem
from aerokeep_node.clock import monotonic_s
from aerokeep_node.evidence import Record, namespace_evidence
from aerokeep_node.flush import LONGEST_SLEEP_S, FlushProof, short_flush
from aerokeep_node.freeze import HeldMount
from aerokeep_node.in_flight import writes_in_flight
from aerokeep_node.info import InfoError, InfoSilenceError
from aerokeep_node.namespaces import FLUSH_SETTING, Activity, read_activity, transactions_in_progress
from aerokeep_node.pulse import Pulse, WriteStopEndError
from aerokeep_node.route import route_of
from aerokeep_node.run_directory import RunDirectory
from aerokeep_node.settings import NamespaceSettings, SetCall

SETTLE_S = 0.3
"""After T0, every node of the cluster is guarded before any begins its proof."""
SAMPLE_S = 0.05
QUICK_TICK_S = 0.002
ASK_S = 1.0
WATCH_S = 0.05
WATCH_ASK_S = 0.2
"""A server that does not answer must not keep the lease from ending on time."""
MOST_NAMED = 5
PROOF_SHARE = 0.5
"""Guard and proof may take this share of the lease; a write stop that can't be proven is not held."""
DEFAULT_FLUSH_MAX_MS = 1000


class Window:
    """The acts of one write stop, each of which ends with the pulse."""

    def __init__(self, run: RunDirectory, request: Dict[str, Any], record: Record, pulse: Pulse) -> None:
        route, former = route_of(request["route"]), request["former"]
        self.request = request
        self.settings = [NamespaceSettings(route, name, values) for name, values in former.items()]
        self.mounts: List[HeldMount] = []
        self._run = run
        self._record = record
        self._pulse = pulse
        self._reader = route.connection()
        self._flush_ms: Dict[str, int] = {}
        self._shortened_s = 0.0
        self._watched_s = 0.0
        self._bulk: List[Task] = []
        self._aside = Aside(run)
        self._copying: Optional[Task] = None

    def get_ready(self) -> None:
        """Hold the filesystems and open the connections; nothing is changed."""
        for mount_point in self.request["freeze"]:
            self.mounts.append(HeldMount(mount_point, self._run.tree))
        for one in self.settings:
            one.keep_connections_open(len(one.former))
        self._reader.open()

    def bulk_sync(self) -> None:
        """Write back most of what is dirty before the window, so that the freeze in it is short."""
        if all(task.done for task in self._bulk):
            self._bulk = [_sync(path) for path in self.request["files"]]

    def shorten_flush(self) -> None:
        """Let the server flush partial blocks often; still before T0, since it notices only after a second."""
        calls: Dict[str, SetCall] = {}
        for one in self.settings:
            config = one.read()
            if config is None or one.different(config):
                # What would have to be put back is not known any more: leave this node alone.
                raise WriteStopEndError("failure", f"{one.name}: no answer, or settings changed since arming")
            former_ms = config.number(FLUSH_SETTING)
            wanted_ms = DEFAULT_FLUSH_MAX_MS if former_ms is None else short_flush(former_ms)
            self._flush_ms[one.name] = wanted_ms
            if former_ms is not None and wanted_ms != former_ms:
                calls[one.name] = one.send(FLUSH_SETTING, str(wanted_ms))
        self._await(list(calls.values()), until_s=self._pulse.start_s)
        for name, call in calls.items():
            if call.state != "ok":
                self._flush_ms[name] = DEFAULT_FLUSH_MAX_MS
                self._record.complain(FLUSH_SETTING, f"{name}: {call.state} {call.detail}")
        self._shortened_s = monotonic_s()

    def guard(self) -> None:
        """Reject client writes in every namespace, and read back that it is so."""
        self._record.stamp("guard_sent")
        calls = [one.send(*guard) for one in self.settings for guard in self.request["guards"][one.name]]
        self._await(calls, until_s=self._proof_deadline_s())
        for call in calls:
            if call.state != "ok":
                self._record.complain("guard", f"{call.setting} {call.state}: {call.detail}")
        self._record.guarded_at_start = self._all_guarded()
        if not self._record.guarded_at_start:
            raise WriteStopEndError("failure", "not every namespace could be guarded")
        self._record.stamp("guarded")
        self._pulse.tick(0.0)

    def begin_copying_aside(self) -> None:
        """Begin to copy SMD and conf while the guard holds; the freeze waits for it."""
        self._record.smd["before"] = self._ask("smd-info")
        request = self.request
        self._copying = Task("aside", lambda: self._aside.copy(request["work_directory"], request["conf_path"]))

    def prove_flushed(self) -> None:
        """Wait until everything acknowledged has left the server's buffers."""
        self._pulse.wait_until(self._pulse.start_s + SETTLE_S)
        self._record.stamp("settle_started")
        not_before_s = self._shortened_s + LONGEST_SLEEP_S
        proofs = {one.name: FlushProof(self._flush_ms[one.name], not_before_s) for one in self.settings}
        activities: Dict[str, Activity] = {}
        while not all(proof.proven for proof in proofs.values()):
            if monotonic_s() >= self._proof_deadline_s():
                late = ", ".join(sorted(name for name, proof in proofs.items() if not proof.proven))
                raise WriteStopEndError("failure", f"no flush proof in time for {late}")
            self._pulse.tick(SAMPLE_S)
            busy = transactions_in_progress(self._reader, ASK_S)
            busy += writes_in_flight(self.request["devices"], self._run.tree)
            for name, proof in proofs.items():
                activities[name] = read_activity(self._reader, name, ASK_S)
                proof.look(monotonic_s(), activities[name], busy)
        self._record.stamp("flushed")
        for one in self.settings:
            self._record.namespaces[one.name] = namespace_evidence(one.former, proven=activities[one.name])
        self._record.cluster["before"] = cluster_state(self._reader, ASK_S)

    def wait_for_copies(self) -> None:
        """Nothing is copied while filesystems stand still."""
        self._wait(lambda: self._copying is None or self._copying.done)

    def make_durable(self) -> None:
        """Freeze what may be frozen, and write back file data on what may not; both beside each other."""
        syncs = {path: _sync(path) for path in self.request["sync"]}
        freezing = [mount for mount in self.mounts if self._begin_freeze(mount)]
        self._wait(lambda: all(mount.freeze_ended() for mount in freezing))
        for mount in self.mounts:
            if mount.frozen_at is None:
                # Guarded and written back loses nothing either (measured), so hold on with that.
                syncs.update({path: _sync(path) for path in self.request["files_of"][mount.mount_point]})
        instants = [mount.frozen_at for mount in self.mounts if mount.frozen_at is not None]
        if instants and len(instants) == len(self.mounts):
            self._record.times["frozen"] = max(instants)
        self._wait(lambda: self._note_synced(syncs))

    def watch_for_writes(self) -> None:
        """Note until when nothing was written.

        The nodes of a cluster are not lifted at the same instant, and writes of the first ones reach replicas on those
        that are still guarded: what counts is that nothing moved until the cut was over.
        """
        now_s, patience_s = monotonic_s(), self._reader.patience(WATCH_ASK_S)
        if now_s - self._watched_s < WATCH_S or now_s + patience_s > self._pulse.end_s:
            return  # just looked, or an answer could keep the lease from ending in time
        self._watched_s = monotonic_s()
        for name, known in self._record.namespaces.items():
            if known["changed"]:
                continue
            asked_at = time.time()
            try:
                now = read_activity(self._reader, name, WATCH_ASK_S).as_json()
            except InfoError as error:
                self._record.complain("watch", str(error))
                continue
            except InfoSilenceError as error:
                self._record.complain("watch", str(error))
                return  # it answers for no other namespace either, and letting go must not wait for each
            before = known["before"]
            moved = sorted(key for key in {**before, **now} if now.get(key) != before.get(key))
            known["changed"] = moved[:MOST_NAMED]
            if not moved:
                known["unchanged_until"] = asked_at

    def read_under_guard(self) -> None:
        """Read what must not have changed since the proof, while the guard still holds."""
        if self._record.times["guarded"] is None:
            return
        self._record.guarded_at_end = self._all_guarded()
        for one in self.settings:
            known = self._record.namespaces.setdefault(one.name, namespace_evidence(one.former))
            asked_at = time.time()
            known["after"] = read_activity(self._reader, one.name, ASK_S).as_json()
            known["unchanged"] = known["flushed"] and known["after"] == known["before"]
            if known["unchanged"] and not known["changed"]:
                known["unchanged_until"] = asked_at  # the last look, after the word that the cut is over
        self._record.cluster["after"] = cluster_state(self._reader, ASK_S)
        self._record.smd["after"] = self._ask("smd-info")

    def report_aside(self) -> None:
        """Put what was copied aside into the evidence."""
        if self._copying is None or not self._copying.done:
            return
        self._record.aside = self._aside.as_json()
        for error in self._aside.errors + ([self._copying.error] if self._copying.error else []):
            self._record.complain("aside", error)

    def _proof_deadline_s(self) -> float:
        return self._pulse.start_s + PROOF_SHARE * (self._pulse.end_s - self._pulse.start_s)

    def _wait(self, over: Callable[[], bool]) -> None:
        while not over():
            self._pulse.tick(QUICK_TICK_S)

    def _await(self, calls: List[SetCall], *, until_s: float) -> None:
        self._wait(lambda: all(call.look() != "waiting" for call in calls) or monotonic_s() >= until_s)

    def _all_guarded(self) -> bool:
        configs = [one.read() for one in self.settings]
        return all(config is not None and config.closed for config in configs)

    def _ask(self, command: str) -> Optional[str]:
        try:
            return self._reader.ask(command, ASK_S)
        except (InfoError, InfoSilenceError) as error:
            self._record.complain(command, str(error))
            return None

    def _begin_freeze(self, mount: HeldMount) -> bool:
        try:
            mount.begin_freeze()
        except OSError as error:
            mount.errors.append(f"freeze {mount.mount_point}: {error}")
            return False
        return True

    def _note_synced(self, syncs: Dict[str, Task]) -> bool:
        for path, task in list(syncs.items()):
            if not task.done:
                continue
            del syncs[path]
            if task.error is None:
                self._record.synced[path] = time.time()
            else:
                self._record.complain("sync", task.error)
        return not syncs


def _sync(path: str) -> Task:
    return Task("sync " + path, lambda: sync_filesystem(path))
