"""Start processes that outlive the SSM command: as a transient systemd service, else detached by hand."""

import os
import subprocess
import sys
from typing import Dict, List

from aerokeep_node.tree import Tree

SYSTEMD_RUN = "systemd-run"
SYSTEMCTL = "systemctl"
SYSTEMD_TIMEOUT_S = 10.0
ACCURACY = "AccuracySec=100ms"
"""systemd's own default lets a timer be a minute late."""
KEPT_ENVIRONMENT = ("AEROKEEP_ROOT", "PATH")
WEIGHTS = ("--property=CPUWeight=20", "--property=IOWeight=20")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program_command(verb: str, run: str) -> List[str]:
    """Give the command that runs this very program again, from its zipapp or its folder."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if os.path.isfile(home):
        return [sys.executable, "-I", home, verb, run]
    start = f"import runpy, sys; sys.path.insert(0, {home!r}); runpy.run_module('aerokeep_node', run_name='__main__')"
    return [sys.executable, "-I", "-c", start, verb, run]


def _environment() -> Dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    # fsfreeze lives in sbin, which a bare service environment may lack.
    kept["PATH"] = kept.get("PATH", "") + ":" + _SYSTEM_PATH if kept.get("PATH") else _SYSTEM_PATH
    return kept


def has_systemd(tree: Tree) -> bool:
    """Whether systemd runs this host."""
    return os.path.isdir(tree.path("run/systemd/system"))


def _systemd_run(arguments: List[str], command: List[str]) -> bool:
    options = [f"--setenv={name}={value}" for name, value in sorted(_environment().items())]
    try:
        done = subprocess.run(
            [SYSTEMD_RUN, "--quiet", *arguments, *options, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SYSTEMD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _start_by_hand(command: List[str], log_path: str) -> None:
    with open(log_path, "ab") as log:
        # Its parent, the verb, ends at once: init becomes its parent, and no descriptor of the SSM command stays open.
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=dict(os.environ, PATH=_environment()["PATH"]),
            start_new_session=True,
            close_fds=True,
        )


def start_resident(run: str, token: str, log_path: str, tree: Tree) -> None:
    """Start the lease's resident so that neither the SSM agent's end nor this process's end can take it along."""
    command = program_command("resident", run)
    if has_systemd(tree) and _systemd_run([f"--unit=aerokeep-lease-{run}-{token[:8]}"], command):
        return
    _start_by_hand(command, log_path)


def start_transfer(job: str, run: str, token: str, log_path: str, tree: Tree, *, nice: int) -> None:
    """Start the job of an export or import in the same way, behind everybody else on this host."""
    command = program_command(job, run)
    # Told to stop, only the job shall hear of it: it ends its programs in an order that leaves nothing half-made.
    options = [f"--unit=aerokeep-transfer-{run}-{token[:8]}", f"--nice={nice}", "--property=KillMode=mixed"]
    # Old versions of systemd know no weights.
    if has_systemd(tree) and (_systemd_run([*options, *WEIGHTS], command) or _systemd_run(options, command)):
        return
    _start_by_hand(command, log_path)


def _second_line_unit(run: str, token: str) -> str:
    return f"aerokeep-undo-{run}-{token[:8]}"


def start_second_line(run: str, token: str, *, after_s: float, tree: Tree) -> bool:
    """Where systemd is, let a timer undo what the resident might leave behind; False where there is none."""
    if not has_systemd(tree):
        return False
    arguments = [
        "--unit=" + _second_line_unit(run, token),
        f"--on-active={after_s:.3f}s",
        "--timer-property=" + ACCURACY,
    ]
    return _systemd_run(arguments, program_command("undo", run))


def stop_second_line(run: str, token: str, tree: Tree) -> None:
    """Take the timer away once there is nothing left to undo."""
    if not has_systemd(tree):
        return
    try:
        subprocess.run(
            [SYSTEMCTL, "stop", _second_line_unit(run, token) + ".timer"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SYSTEMD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # the timer finds the evidence and does nothing
