"""Verbs of `systemctl` that change unit files; systemd reads them anew by itself afterwards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sandbox.systemd.call import FAILED, Call, RefusedError, note
from sandbox.systemd.jobs import start, stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.systemd.units import Unit

    Job = Callable[[Call], int]


def daemon_reload(call: Call) -> int:
    """Read all unit files anew."""
    call.reload()
    return 0


def mask(call: Call) -> int:
    """Make units unstartable."""
    for name in call.names:
        if call.files.read(name) is None:
            note(f"Unit {name} does not exist, proceeding anyway.")
        if made := call.files.mask(name):
            note(f"Created symlink {made} → {os.devnull}.")
    return _and_now(call, stop)


def unmask(call: Call) -> int:
    """Undo masks."""
    for name in call.names:
        if gone := call.files.unmask(name):
            note(f'Removed "{gone}".')
    _reload_after(call)
    return 0


def enable(call: Call) -> int:
    """Let the boot start units."""
    for name in call.names:
        unit = _existing(call, name, "enable")
        if unit.masked:
            raise RefusedError(f"Failed to enable unit: Unit file /etc/systemd/system/{name} is masked.", FAILED)
        if made := call.files.enable(name):
            note(f"Created symlink {made} → {unit.fragment}.")
    return _and_now(call, start)


def disable(call: Call) -> int:
    """Don't let the boot start units."""
    for name in call.names:
        _existing(call, name, "disable")
        if gone := call.files.disable(name):
            note(f'Removed "{gone}".')
    return _and_now(call, stop)


def _existing(call: Call, name: str, verb: str) -> Unit:
    unit = call.files.read(name)
    if unit is None:
        raise RefusedError(f"Failed to {verb} unit: Unit file {name} does not exist.", FAILED)
    return unit


def _reload_after(call: Call) -> None:
    """What runs goes on by what is loaded: of a unit that is masked, nothing is left after a reload."""
    if not call.on("--no-reload"):
        call.reload()


def _and_now(call: Call, job: Job) -> int:
    _reload_after(call)
    return job(call) if call.on("--now") else 0
