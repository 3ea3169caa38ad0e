"""What can be done by hand: start a region in the background, look at it, break it, and end it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.dataplane.run_id import RunId
from sandbox.dataplane.sweep import sweep
from sandbox.hand import standing
from sandbox.hand.control import NotAnsweredError, ask
from sandbox.hand.standing import Standing

REPOSITORY = Path(__file__).resolve().parents[2]
PATHS = (REPOSITORY, REPOSITORY / "functions", REPOSITORY / "node")
UP_WITHIN_S, DOWN_WITHIN_S = 300.0, 60.0
POLL_S = 0.05
LAST_CHARS = 2000


class NotDoneError(Exception):
    """What was asked for can't be done; the message says why and what to do."""


def up(arguments: Sequence[str]) -> Standing:
    """Start a region in a process of its own, and wait until it serves.

    Raises:
        NotDoneError: one runs already, or it could not be started.

    """
    found = standing.find()
    if found and found.lives:
        raise NotDoneError(f"one runs already: {found.endpoint}, process {found.pid} (end it: python -m sandbox down)")
    if found:
        _put_away(found)
    standing.make_folder()
    process = _start(arguments)
    found = None
    try:
        found = _wait_for(process)
    finally:
        if found is None:
            _give_up(process)
    return found


def _start(arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "sandbox.hand.serving", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in PATHS)}
    none = subprocess.DEVNULL
    with standing.log_path().open("wb") as log:
        return subprocess.Popen(
            argv, cwd=REPOSITORY, env=environment, stdin=none, stdout=log, stderr=log, start_new_session=True
        )


def _wait_for(process: "subprocess.Popen[bytes]") -> Standing:
    give_up = time.monotonic() + UP_WITHIN_S
    while not ((found := standing.find()) and found.pid == process.pid):
        if process.poll() is not None or time.monotonic() > give_up:
            words = standing.log_path().read_text(errors="replace")[-LAST_CHARS:].strip()
            raise NotDoneError(f"the region did not come up: {words or 'it said nothing'}")
        time.sleep(POLL_S)
    return found


def _give_up(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    standing.forget()


def exports(found: Standing) -> str:
    """Lines for a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.environment.items())


def status() -> str:
    """What there is.

    Raises:
        NotDoneError: no region runs, or it does not answer.

    """
    found = _running()
    head = f"region: {found.endpoint} in {found.mode} mode, process {found.pid}, serves"
    return "\n".join([head, *_asked(found, "status")])


def inject(path: Path) -> str:
    """Arm a plan in the region → what it will do.

    Raises:
        NotDoneError: no region runs; or the plan is refused, with every reason.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotDoneError(f"{path} cannot be read ({error}); name a plan, as those below docs/faults") from error
    return "\n".join(_asked(_running(), "inject", plan=text, name=path.name))


def down() -> str:
    """End the region and clean up; does nothing where there is none → what was done."""
    found = standing.find()
    if found is None:
        return "nothing runs"
    if found.lives:
        os.kill(found.pid, signal.SIGTERM)
        give_up = time.monotonic() + DOWN_WITHIN_S
        while found.lives and time.monotonic() < give_up:
            time.sleep(POLL_S)
    if found.lives:
        os.kill(found.pid, signal.SIGKILL)
    _put_away(found)
    return f"ended: {found.endpoint}, process {found.pid}"


def _running() -> Standing:
    found = standing.find()
    if found is None:
        raise NotDoneError("no region runs; start one: python -m sandbox up")
    if not found.lives:
        raise NotDoneError("the region has been killed; clean up what it left: python -m sandbox down")
    return found


def _asked(found: Standing, verb: str, **more: str) -> list[str]:
    try:
        return ask(found.control_port, found.token, verb, **more)
    except NotAnsweredError as error:
        raise NotDoneError(str(error)) from error


def _put_away(found: Standing) -> None:
    """Remove what a region that was killed left; one that ended by itself left nothing."""
    run = RunId.find(found.workdir)
    if run is not None:
        sweep(run)
    standing.forget()
