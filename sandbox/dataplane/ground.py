"""What the nodes of the namespaces mode stand on: the warden, the pool of reflinks, the hub's network."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.dataplane import network
from sandbox.dataplane.kernel import LoopDevice, children_in_pid_namespace
from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.processes import children, send
from sandbox.dataplane.programs import run

POOL_BYTES = 64 << 30
"""Size of the sparse pool image: room to promise, taken only as it is written."""

_SPACES = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--net")


class Ground:
    """Namespaces that all nodes lie in, and that the kernel ends when this process does."""

    def __init__(self, workdir: Path, *, prefix: str, marks: Mapping[str, str]) -> None:
        """Bring everything up; names of files begin with ``prefix``, processes carry ``marks``."""
        self._workdir = workdir
        self._marks = dict(marks)
        self._clients: list[subprocess.Popen[bytes]] = []
        for name in ("pool", "dev", "root", "logs"):
            (workdir / name).mkdir()
        self._start_warden()
        try:
            network.build_hub(self.pid)
            self._mount_pool(workdir / f"{prefix}-pool.img")
        except BaseException:
            self.close()
            raise

    @property
    def pool(self) -> Path:
        """The pool, as the machine reaches it: it is mounted in the warden's namespace only."""
        return Path(f"/proc/{self.pid}/root{self._workdir}/pool")

    def _start_warden(self) -> None:
        leash = os.pidfd_open(os.getpid())
        argv = [
            "unshare",
            *_SPACES,
            "--",
            sys.executable,
            "-IS",
            str(Path(__file__).with_name("warden.py")),
            str(leash),
        ]
        try:
            with (self._workdir / "logs/warden").open("wb") as log:
                self._holder = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    pass_fds=[leash],
                    start_new_session=True,
                    env={**os.environ, **self._marks},
                )
        finally:
            os.close(leash)
        assert self._holder.stdout is not None  # noqa: S101  # PIPE was asked for
        if self._holder.stdout.readline() != b"ready\n":
            self._holder.communicate()
            words = (self._workdir / "logs/warden").read_text(errors="replace").strip()
            raise DataPlaneError(f"no_warden: unshare ended with {self._holder.returncode}: {words}")
        self.pid = children(self._holder.pid)[0]

    def _mount_pool(self, image: Path) -> None:
        with image.open("xb") as file:
            file.truncate(POOL_BYTES)
        run(["mkfs.xfs", "-q", "-m", "reflink=1", "-K", str(image)])
        device = LoopDevice(image, nodes=self._workdir / "dev")
        try:
            enter = ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--"]
            run([*enter, "mount", "-t", "xfs", device.path, str(self._workdir / "pool")])
        finally:
            device.close()  # the mount holds it from here

    def spawn_client(self, argv: Sequence[str], *, env: dict[str, str], **popen: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401  # Popen's own keywords
        """Start a process in the hub's network; it ends with the warden."""
        popen.setdefault("start_new_session", True)
        enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--"]
        with children_in_pid_namespace(self.pid):
            process: subprocess.Popen[bytes] = subprocess.Popen([*enter, *argv], env={**env, **self._marks}, **popen)
        self._clients = [other for other in self._clients if other.returncode is None] + [process]
        return process

    def close(self) -> None:
        """Let go: the warden ends, and all processes in its namespaces with it."""
        send([self.pid], signal.SIGTERM)  # besides the end of input: a process forked from us may hold the pipe open
        self._holder.communicate()
        for client in self._clients:
            client.wait()
