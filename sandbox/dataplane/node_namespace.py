"""One node of the namespaces mode: its namespaces, its devices, its processes."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.dataplane.kernel import LoopDevice, children_in_pid_namespace
from sandbox.dataplane.names import ROOT_DEVICE
from sandbox.dataplane.node_init import OWN_FOLDERS
from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.processes import children, mounts, namespace, pids, send
from sandbox.dataplane.sweep import thaw
from sandbox.dataplane.volumes import Backing
from sandbox.systemd.units import PACKAGED

END_TIMEOUT_S = 15.0
_POLL_S = 0.005
_REPOSITORY = Path(__file__).resolve().parents[2]
_NAMESPACES = ("--net", "--mount", "--uts", "--ipc", "--propagation", "private", "--pid", "--fork", "--kill-child")


class Node:
    """A node: made with `Node`, then `boot`, then in use until `end`."""

    def __init__(
        self, instance_id: str, *, warden: int, private_ip: str, backing: Backing, env: dict[str, str], log: Path
    ) -> None:
        """Make the node's namespaces below the warden's; ``env`` marks its processes, ``log`` takes init's words."""
        self.instance_id = instance_id
        self.private_ip = private_ip
        self.backing = backing
        self.booted = False
        self.lock = threading.RLock()
        self.hostname = "ip-" + private_ip.replace(".", "-")
        self.loops: dict[str, LoopDevice] = {}
        self._links: dict[str, list[str]] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        enter = ["nsenter", f"--mount=/proc/{warden}/ns/mnt", "--"]
        init = [sys.executable, "-IS", str(Path(__file__).with_name("node_init.py"))]
        self._log = log
        with log.open("ab") as words, children_in_pid_namespace(warden):
            self._holder = subprocess.Popen(
                [*enter, "unshare", *_NAMESPACES, "--", *init],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,
                env={**os.environ, **env},
            )
        self.pid = self._wait_for_init()

    def _wait_for_init(self) -> int:
        deadline = time.monotonic() + END_TIMEOUT_S
        while time.monotonic() < deadline and self._holder.poll() is None:
            if found := children(self._holder.pid):
                return found[0]
            time.sleep(_POLL_S)
        self._holder.kill()
        self._holder.communicate()
        raise DataPlaneError(f"no_node: {self.instance_id}: unshare did not come up: {self._log.read_text()}")

    @property
    def root(self) -> Path:
        """The node's root, as the machine reaches it."""
        return Path(f"/proc/{self.pid}/root")

    def boot(self, *, mount_at: Path, root_device: str | None, shared: Path) -> None:
        """Build the node's root on the given device (or on a tmpfs) and move in."""
        needed = {_REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), shared}
        binds = sorted(str(path) for path in needed if path.parts[1] in OWN_FOLDERS)
        order = {
            "root": str(mount_at),
            "root_device": root_device,
            "root_name": ROOT_DEVICE,
            "hostname": self.hostname,
            "binds": binds,
            "units": PACKAGED,
        }
        assert self._holder.stdin is not None  # noqa: S101  # PIPE was asked for
        assert self._holder.stdout is not None  # noqa: S101  # the same
        self._holder.stdin.write(json.dumps(order).encode() + b"\n")
        self._holder.stdin.flush()
        answer = self._holder.stdout.readline().decode().strip()
        if answer != "booted":
            raise DataPlaneError(f"no_node: {self.instance_id}: {answer or self._log.read_text()}")
        self.booted = True
        (self.root / "opt/aerospike").mkdir(parents=True, exist_ok=True)
        for kernel_name in self.loops:
            self._show(kernel_name)

    def plug(self, kernel_name: str, loop: LoopDevice, links: list[str]) -> None:
        """Add a block device under its NVMe name and its links (paths below /dev)."""
        self.loops[kernel_name] = loop
        self._links[kernel_name] = links
        if self.booted:
            self._show(kernel_name)

    def _show(self, kernel_name: str) -> None:
        dev = self.root / "dev"
        os.mknod(dev / kernel_name, stat.S_IFBLK | 0o660, self.loops[kernel_name].rdev)
        for link in self._links[kernel_name]:
            path = dev / link
            path.symlink_to(os.path.relpath(dev / kernel_name, path.parent))

    def unplug(self, kernel_name: str) -> None:
        """Take a block device away; it must not be mounted."""
        loop = self.loops.pop(kernel_name)
        for name in (kernel_name, *self._links.pop(kernel_name)):
            if self.booted:
                (self.root / "dev" / name).unlink(missing_ok=True)
        loop.close()

    def mounted_at(self, kernel_name: str) -> list[str]:
        """Tell where a device is mounted in the node."""
        rdev = self.loops[kernel_name].rdev
        number = f"{os.major(rdev)}:{os.minor(rdev)}"
        return [mount.mount_point for mount in mounts(self.pid) if mount.device == number]

    def enter(self, argv: Sequence[str], *, cwd: str = "/") -> list[str]:
        """Give the command that runs ``argv`` in the node's namespaces (but for the PID namespace)."""
        kinds = {"mount": "mnt", "net": "net", "uts": "uts", "ipc": "ipc"}
        spaces = [f"--{option}=/proc/{self.pid}/ns/{kind}" for option, kind in kinds.items()]
        return ["nsenter", *spaces, f"--wdns={cwd}", "--", *argv]

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str], **popen: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401  # Popen's own keywords
        """Start a process on the node; its pid is the machine's, so signals reach it."""
        if executable := popen.pop("executable", None):
            argv = ["bash", "-c", 'exec -a "$0" "$@"', argv[0], str(executable), *argv[1:]]
        env = dict(env)
        if library := env.pop("LD_PRELOAD", None):  # not for nsenter, which would leave its traces on the machine
            argv = ["env", f"LD_PRELOAD={library}", *argv]
        cwd = str(popen.pop("cwd", None) or "/")
        popen.setdefault("start_new_session", True)
        with children_in_pid_namespace(self.pid):
            process: subprocess.Popen[bytes] = subprocess.Popen(self.enter(argv, cwd=cwd), env=env, **popen)
        self.processes = [other for other in self.processes if other.returncode is None] + [process]
        return process

    def end(self) -> None:
        """End all processes and let the devices go.

        What is frozen is thawed while the node's first process still holds the mounts: after it, a frozen
        filesystem could no longer be reached, and a writer that waits for the thaw cannot be killed.
        """
        space = namespace(self.pid, "pid")
        deadline = time.monotonic() + END_TIMEOUT_S
        while others := [p for p in pids() if namespace(p, "pid") == space and p != self.pid and space]:
            send(others, signal.SIGKILL)
            self._thaw()
            self._reap()
            if time.monotonic() > deadline:
                raise DataPlaneError(f"not_ended: {self.instance_id}: processes {others} do not end")
            time.sleep(_POLL_S)
        self._thaw()
        for loop in self.loops.values():
            loop.close()
        # SIGTERM besides the end of input: a process that was forked from us may hold the pipe open.
        send([self.pid], signal.SIGTERM)
        self._holder.communicate(timeout=END_TIMEOUT_S)
        self._reap()

    def _thaw(self) -> None:
        ours = {f"{os.major(loop.rdev)}:{os.minor(loop.rdev)}" for loop in self.loops.values()}
        thaw(self.pid, [mount for mount in mounts(self.pid) if mount.device in ours])

    def _reap(self) -> None:
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0)
