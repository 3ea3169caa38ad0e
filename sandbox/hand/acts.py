"""What can be done by hand: start a region in the background, and end it."""

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
from sandbox.hand.standing import Standing

REPOSITORY = Path(__file__).resolve().parents[2]
PATHS = (REPOSITORY, REPOSITORY / "functions", REPOSITORY / "node")
UP_WITHIN_S, DOWN_WITHIN_S = 180.0, 60.0
POLL_S = 0.05


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
    argv = [sys.executable, "-m", "sandbox.hand.serving", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in PATHS)}
    with standing.log_path().open("wb") as log:
        process = subprocess.Popen(
            argv,
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up = time.monotonic() + UP_WITHIN_S
    while not ((found := standing.find()) and found.pid == process.pid):
        if process.poll() is not None or time.monotonic() > give_up:
            words = standing.log_path().read_text(errors="replace")[-2000:].strip()
            if process.poll() is None:
                process.terminate()
            process.wait(DOWN_WITHIN_S)
            standing.forget()
            raise NotDoneError(f"the region did not come up: {words}")
        time.sleep(POLL_S)
    return found


def exports(found: Standing) -> str:
    """Lines for a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.environment.items())


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


def _put_away(found: Standing) -> None:
    """Remove what a region that was killed left; one that ended by itself left nothing."""
    run = RunId.find(found.workdir)
    if run is not None:
        sweep(run)
    standing.forget()
