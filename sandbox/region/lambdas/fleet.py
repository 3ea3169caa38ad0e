"""Start, reuse and kill Lambda instances, and turn what happens to them into Lambda's answers."""

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.region.lambdas.instance import EXITED, Deployed, Instance, Outcome, died, timed_out
from sandbox.region.lambdas.zygote import receive

if TYPE_CHECKING:
    from collections.abc import Callable

ZYGOTE = Path(__file__).with_name("zygote.py")
WARM_MODULES = ("boto3", "botocore.config", "pydantic", "aws_lambda_powertools", "aws_lambda_powertools.metrics")
INIT_TIMEOUT_S = 30.0
EXECUTION = re.compile(r"arn:aws:states:[a-z0-9-]+:\d+:execution:[A-Za-z0-9_-]+:[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Work:
    """An instance at its work."""

    function: Deployed
    event: object
    pid: int
    session: str

    @property
    def execution(self) -> str:
        """The ARN of the first execution that the event names; empty if it names none."""
        found = EXECUTION.search(json.dumps(self.event, default=str))
        return found[0] if found else ""


class Starting(Protocol):
    """Called before an event reaches its instance; it may take its time."""

    def __call__(self, *, cold: bool) -> None:
        """`cold`: the instance is a new one."""


class StoppedError(Exception):
    """The fleet starts nothing any more."""

    def __init__(self) -> None:
        super().__init__("the fleet has been stopped")


class Fleet:
    """All Lambda instances of a region. Several of one function run at once; each takes one event at a time."""

    def __init__(self, *, layer_dir: Path, folder: Path, tag: str, starting: "Starting") -> None:
        self._layer_dir = layer_dir / "python" if (layer_dir / "python").is_dir() else layer_dir
        self._tag, self._starting = tag, starting
        self._lock = threading.Lock()
        self._idle: dict[Deployed, list[Instance]] = {}
        self._all: set[int] = set()
        self._at_work: dict[int, Work] = {}
        self._late: set[int] = set()
        self._code_dirs: dict[str, Path] = {}
        self._folder = folder
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._stopped = False
        self.lose_answer: Callable[[Work], bool] = lambda _work: False
        """Asked when an instance has answered: true, and it has died before anybody could hear it."""
        self.at_start: list[Callable[[Work], None]] = []
        """Told when an instance is about to get its event."""

    def start(self) -> None:
        """Start the process that instances are forked from, once; it warms up while others go on.

        Raises:
            StoppedError: the fleet was stopped.

        """
        with self._lock:
            self._refuse_if_stopped()
            if self._zygote is None:
                self._start()

    def _start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        environment = {"PATH": "/usr/bin:/bin", "AEROKEEP_SANDBOX": self._tag, "TZ": "UTC", "LANG": "C.UTF-8"}
        argv = [sys.executable, "-I", "-S", str(ZYGOTE), str(self._layer_dir), *WARM_MODULES]
        with theirs:
            self._zygote = subprocess.Popen(argv, stdin=theirs.fileno(), env=environment, cwd=self._folder)
        self._control = ours

    def stop(self) -> None:
        """Kill every instance and the process they come from; remove their folders. Idempotent."""
        with self._lock:
            self._stopped = True
            for pid in self._all:
                _kill(pid)
            for instance in [i for idle in self._idle.values() for i in idle]:
                instance.link.close()
            self._all.clear()
            self._idle.clear()
            if self._control:
                self._control.close()
                self._control = None
        if self._zygote:
            self._zygote.kill()
            self._zygote.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def logs(self, function_name: str) -> str:
        """Everything the function's instances have written, oldest instance first."""
        paths = sorted((self._folder / "logs").glob(f"{function_name}/*.log"), key=lambda p: p.stat().st_ctime_ns)
        return "".join(path.read_text(errors="replace") for path in paths)

    def kill(self, function_name: str) -> int:
        """Kill the function's instances that are at work right now, as a crash would; → how many there were.

        Their invocations end as ``Runtime.ExitError``.
        """
        with self._lock:
            doomed = [work.pid for work in self._at_work.values() if work.function.name == function_name]
            for pid in doomed:
                _kill(pid)
        return len(doomed)

    def kill_one(self, work: Work) -> None:
        """Kill the one instance that is at this work, if it still is."""
        with self._lock:
            if self._at_work.get(work.pid) is work:
                _kill(work.pid)

    def time_out(self, work: Work) -> None:
        """End this work as its function's timeout would (``Sandbox.Timedout``), as if it had hung until then."""
        with self._lock:
            if self._at_work.get(work.pid) is work:
                self._late.add(work.pid)
                _kill(work.pid)

    def at_work(self) -> list[Work]:
        """Everything that is being worked at right now."""
        with self._lock:
            return list(self._at_work.values())

    def caller(self, session: str) -> Work | None:
        """Whose credentials come with this session token; None if no instance that is at work has it."""
        return next((work for work in self.at_work() if work.session == session), None) if session else None

    def invoke(self, function: Deployed, event: object) -> Outcome:
        """Run one event to its end, its timeout, or the death of its process; nothing is left of one that has died."""
        request_id = str(uuid.uuid4())
        try:
            instance, work = self._take(function, event)
        except StoppedError as stopped:
            return died(request_id, (EXITED, str(stopped)))
        with ExitStack() as unless_kept:
            unless_kept.callback(self._discard, instance)
            for told in tuple(self.at_start):
                told(work)
            written = instance.log_size()
            reply, error = instance.ask(function, event, request_id)
            log = instance.log_from(written)
            if reply is not None and not self.lose_answer(work):
                unless_kept.pop_all()
                self._put_back(function, instance)
                return Outcome(reply["payload"], failed=not reply["ok"], log=log)
            return died(request_id, timed_out(function) if self._is_late(instance) else error, log)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise StoppedError

    def _take(self, function: Deployed, event: object) -> tuple[Instance, Work]:
        with self._lock:
            idle = self._idle.get(function)
            instance = idle.pop() if idle else None
        self._starting(cold=instance is None)
        instance = instance or self._fork(function)
        work = Work(function, event, instance.pid, instance.session)
        with self._lock:
            self._at_work[instance.pid] = work
        return instance, work

    def _put_back(self, function: Deployed, instance: Instance) -> None:
        with self._lock:
            if not self._stopped:
                instance.link.settimeout(None)
                self._at_work.pop(instance.pid, None)
                self._idle.setdefault(function, []).append(instance)
                return
        self._discard(instance)

    def _discard(self, instance: Instance) -> None:
        """End an instance for good."""
        _kill(instance.pid)
        instance.link.close()
        with self._lock:
            self._late.discard(instance.pid)
            self._at_work.pop(instance.pid, None)
            self._all.discard(instance.pid)

    def _is_late(self, instance: Instance) -> bool:
        with self._lock:
            return instance.pid in self._late

    def _fork(self, function: Deployed) -> Instance:
        self.start()
        name = f"{time.time_ns()}"
        log_path = self._folder / "logs" / function.name / f"{name}.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        spec = {
            "function_name": function.name,
            "arn": function.arn,
            "handler": function.handler,
            "memory_mb": function.memory_mb,
            "log_group": function.log_group,
            "instance": name,
            "log_path": str(log_path),
            "code_dir": str(self._code_dir(function)),
            "environment": {
                **dict(function.environment),
                "AWS_SESSION_TOKEN": name,
                "AEROKEEP_SANDBOX": self._tag,
            },
        }
        link, pid = self._born(spec)
        return Instance(pid=pid, link=link, log_path=log_path, session=name)

    def _born(self, spec: dict[str, Any]) -> tuple[socket.socket, int]:
        """Let the zygote make an instance; → the link to it and its pid."""
        with ExitStack() as unless_born:
            ours, theirs = socket.socketpair()
            unless_born.callback(ours.close)
            with theirs, self._lock:
                if self._control is None:
                    raise StoppedError
                socket.send_fds(self._control, [json.dumps(spec).encode()], [theirs.fileno()])
            ours.settimeout(INIT_TIMEOUT_S)
            hello = receive(ours)
            if hello is None:
                with self._lock:
                    self._refuse_if_stopped()
                log = Path(spec["log_path"])
                told = log.read_text() if log.exists() else ""
                raise RuntimeError(f"no instance of {spec['function_name']} could be started: {told}")
            with self._lock:
                self._refuse_if_stopped()  # then it has died with the process that it was forked from
                self._all.add(hello["pid"])
            unless_born.pop_all()
            return ours, int(hello["pid"])

    def _code_dir(self, function: Deployed) -> Path:
        with self._lock:
            if function.code_sha256 not in self._code_dirs:
                folder = self._folder / "code" / str(len(self._code_dirs))
                with zipfile.ZipFile(io.BytesIO(function.code)) as archive:
                    archive.extractall(folder)
                self._code_dirs[function.code_sha256] = folder
            return self._code_dirs[function.code_sha256]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
