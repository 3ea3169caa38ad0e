"""One host of the model: the shipped resident, and around it what it talks to on a real host."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from subprocess import DEVNULL, PIPE, TimeoutExpired
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aerokeep_node import evidence, freeze, lease, let_go, pulse, settings, undo, window
from aerokeep_node.clock import ClockReading
from aerokeep_node.freeze import FITHAW
from aerokeep_node.info import InfoError, error_of, pairs_of

from tests.bench.model.calibration import Calibration
from tests.bench.model.virtual_time import Running, VirtualTime

NAMESPACE = "test"
GUARD, FLUSH = "reject-non-xdr-writes", "flush-max-ms"
FORMER = {GUARD: "false", FLUSH: "1000"}
MOUNT_POINT = "/"
"""Held by descriptor as the shipped code does, and never touched: freezes are modelled."""
WORD_URL = "https://vault/let-go?signed"


class VirtualServer:
    """One node's server: settings that change, counters that move until every node is guarded and buffers are empty."""

    def __init__(
        self, node_id: str, clock: VirtualTime, calibration: Calibration, chance: random.Random, cluster: "Writes"
    ) -> None:
        self.clock, self.calibration, self.chance = clock, calibration, chance
        self.settings = dict(FORMER)
        self._node_id, self._cluster = node_id, cluster
        self._drain_s = calibration.drain.draw(chance) + chance.random() * 2 * 0.05

    def answer_s(self) -> float:
        """How long the next answer takes."""
        return self.calibration.ask.draw(self.chance)

    def answer(self, command: str) -> str:
        """What it says."""
        if command.startswith("set-config:"):
            name, _, value = command.rpartition(";")[2].partition("=")
            self.settings[name] = value
            if name == GUARD:
                self._cluster.guarded(self._node_id, since_s=self.clock.monotonic() if value == "true" else None)
            return "ok"
        if command.startswith("get-config:"):
            return f"{GUARD}={self.settings[GUARD]};storage-engine=device;storage-engine.{FLUSH}={self.settings[FLUSH]}"
        if command.startswith("namespace/"):
            return f"client_write_success={self._written()};storage-engine.file[0].write_q=0;master_objects=1"
        if command == "statistics":
            return "rw_in_progress=0;proxy_in_progress=0;cluster_key=ABC;cluster_size=1;uptime=1000"
        if command == "peers-clear-std":
            peers = ",".join(f"[{node},,[10.0.0.1]]" for node in self._cluster.nodes if node != self._node_id)
            return f"0,3000,[{peers}]"
        return ""

    def _written(self) -> int:
        still_s = self._cluster.last_write_s(now_s=self.clock.monotonic()) + self._drain_s
        return int(min(self.clock.monotonic(), still_s) * 1e6) + 1


class Writes:
    """Clients write all over the cluster until its last node is guarded."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes = nodes
        self._since_s: dict[str, float] = {}

    def guarded(self, node_id: str, *, since_s: float | None) -> None:
        """A node rejects writes from now on, or no more."""
        if since_s is None:
            self._since_s.pop(node_id, None)
        else:
            self._since_s.setdefault(node_id, since_s)

    def last_write_s(self, *, now_s: float) -> float:
        """When the last write came; now, while any node takes them."""
        return max(self._since_s.values()) if len(self._since_s) == len(self.nodes) else now_s


class VirtualInfo:
    """An info connection to a virtual server."""

    gives_up_after_s = None

    def __init__(self, server: VirtualServer) -> None:
        self._server = server
        self._due_s: float | None = None

    def open(self, timeout_s: float = 0.0) -> None:
        """It always is."""

    def close(self) -> None:
        """What was awaited is awaited no more."""
        self._due_s = None

    def patience(self, timeout_s: float) -> float:
        """As long as was asked for."""
        return timeout_s

    def send(self, command: str) -> None:
        """Ask, and do not wait."""
        del command
        self._due_s = self._server.clock.monotonic() + self._server.answer_s()

    def poll(self, command: str, timeout_s: float) -> str | None:
        """The answer, if it has come."""
        now_s = self._server.clock.monotonic()
        if self._due_s is None or self._due_s > now_s + timeout_s:
            return None
        self._server.clock.sleep(self._due_s - now_s)
        self._due_s = None
        return self._server.answer(command)

    def ask(self, command: str, timeout_s: float = 3.0) -> str:
        """Ask and wait."""
        del timeout_s
        self._server.clock.sleep(self._server.answer_s())
        answer = self._server.answer(command)
        if (error := error_of(answer)) is not None:
            raise InfoError(error)
        return answer

    def ask_pairs(self, command: str, timeout_s: float = 3.0) -> dict[str, str]:
        """Ask for pairs."""
        return dict(pairs_of(self.ask(command, timeout_s)))


class VirtualRun:
    """A run's directory, in memory."""

    def __init__(self, run: str) -> None:
        self.run, self.tree, self.path = run, None, ""
        self.files: dict[str, Any] = {}

    def create(self) -> None:
        """It is there."""

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return name in self.files

    def mark(self, name: str) -> None:
        """Put an empty file."""
        self.files[name] = {}

    def write(self, name: str, content: Any) -> None:  # noqa: ANN401 - whatever JSON can carry
        """Write, as it would be read back."""
        self.files[name] = json.loads(json.dumps(content, default=lambda _: None))

    def read(self, name: str) -> Any:  # noqa: ANN401 - whatever JSON can carry
        """Read."""
        return self.files.get(name)


class VirtualTask:
    """A task of the host program, beside its loop."""

    clock: VirtualTime

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        del name
        self.error: str | None = None
        self._running: Running = self.clock.spawn(act)

    @property
    def done(self) -> bool:
        """Whether it has returned."""
        return self._running.ended


class Freezer:
    """``fsfreeze`` as a process of the model."""

    def __init__(self, clock: VirtualTime, seconds: float) -> None:
        self._clock, self._until_s = clock, clock.monotonic() + seconds
        self.returncode: int | None = None
        self.stderr = None

    def poll(self) -> int | None:
        """Its exit code, once it has one."""
        if self.returncode is None and self._clock.monotonic() >= self._until_s:
            self.returncode = 0
        return self.returncode


@contextmanager
def shipped_code_on(
    clock: VirtualTime, calibration: Calibration, chance: random.Random, reading: ClockReading
) -> Iterator[None]:
    """The host program's modules, with the virtual clock for theirs and the model for what they call."""

    def aside(_: VirtualRun) -> SimpleNamespace:
        copying = SimpleNamespace(errors=[], as_json=lambda: {"files": [], "truncated": False})
        copying.copy = lambda *_: clock.sleep(calibration.aside.draw(chance))
        return copying

    def ioctl(_: int, request: int, __: int) -> None:
        assert request == FITHAW
        clock.sleep(calibration.thaw.draw(chance))

    VirtualTask.clock = clock
    subprocess = SimpleNamespace(
        DEVNULL=DEVNULL,
        PIPE=PIPE,
        TimeoutExpired=TimeoutExpired,
        Popen=lambda *_, **__: Freezer(clock, calibration.freeze.draw(chance)),
    )
    with ExitStack() as patches:
        for module in (evidence, freeze, settings, undo, window, pulse):
            patches.enter_context(patch.object(module, "time", clock))
        for module in (lease, pulse, window, let_go):
            patches.enter_context(patch.object(module, "monotonic_s", clock.monotonic))
        for module, name, stand_in in (
            (window, "route_of", lambda told: told),
            (window, "Task", VirtualTask),
            (window, "sync_filesystem", lambda _: clock.sleep(calibration.freeze.draw(chance))),
            (window, "Aside", aside),
            (freeze, "threading", clock),
            (freeze, "subprocess", subprocess),
            (freeze, "fcntl", SimpleNamespace(ioctl=ioctl)),
            (freeze, "freezers_of", lambda *_: []),
            (let_go, "threading", clock),
            (lease, "read_clock", lambda: reading),
            (lease, "Asd", lambda _: SimpleNamespace(still_runs=lambda: True)),
            (lease, "detach", SimpleNamespace(stop_second_line=lambda *_: None)),
        ):
            patches.enter_context(patch.object(module, name, stand_in))
        yield


class VirtualHost:
    """The shipped resident of one node, armed for a window."""

    def __init__(
        self, server: VirtualServer, *, node_id: str, token: str, window_s: tuple[float, float], reading: ClockReading
    ) -> None:
        self.server, self.run, self._reading = server, VirtualRun("r"), reading
        request = {
            "token": token,
            "let_go": WORD_URL,
            "node_id": node_id,
            "start_at": window_s[0],
            "end_at": window_s[1],
            "route": SimpleNamespace(connection=lambda: VirtualInfo(server)),
            "work_directory": "",
            "conf_path": "",
            "former": {NAMESPACE: dict(FORMER)},
            "guards": {NAMESPACE: [(GUARD, "true")]},
            "freeze": [MOUNT_POINT],
            "files": ["/data/test.dat"],
            "files_of": {MOUNT_POINT: ["/data/test.dat"]},
            "sync": [],
            "devices": [],
        }
        self.run.write("request.json", request)
        self.resident = lease.Resident(self.run, request)  # type: ignore[arg-type] # a directory in memory

    def live(self, word_is_there: Callable[[], bool] | None, fetch_s: Callable[[], float]) -> None:
        """Arm as far as arming is on the clock, then live the lease.

        Args:
            word_is_there: whether the word to let go can be read by now; None: nobody will put it.
            fetch_s: how long the next look for it takes.

        """
        resident = self.resident
        resident.window.get_ready()
        resident.pulse.set_deadlines(resident.request["start_at"], resident.request["end_at"], self._reading)
        resident.record.clocks.append(self._reading.as_json())
        resident.record.stamp("armed")
        if word_is_there is not None:

            def look() -> bool:
                self.server.clock.sleep(fetch_s())
                return word_is_there()

            resident.let_go._look = look  # type: ignore[method-assign]  # noqa: SLF001 - all that is not modelled is HTTP
            resident.let_go.begin(resident.pulse.start_s)
        resident.live()
        for mount in resident.window.mounts:
            mount.close()

    @property
    def evidence(self) -> Mapping[str, Any]:
        """What it tells of its write stop."""
        told: Mapping[str, Any] = self.run.read("evidence.json")
        return told
