"""Verbs of `systemctl` that begin and end processes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from sandbox.systemd.call import FAILED, NOT_LOADED, Call, RefusedError, note
from sandbox.systemd.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable


def start(call: Call) -> int:
    """Start units."""
    for service in call.services():
        unit = service.loaded()
        if unit is None:
            raise RefusedError(f"Failed to start {service.name}: Unit {service.name} not found.", NOT_LOADED)
        if unit.masked:
            raise RefusedError(f"Failed to start {service.name}: Unit {service.name} is masked.", FAILED)
        if call.files.read(service.name) != unit:
            note(
                f"Warning: The unit file, source configuration file or drop-ins of {service.name} changed on disk. "
                "Run 'systemctl daemon-reload' to reload units."
            )
        if call.on("--no-block") and service.state().active == "deactivating":
            _later(lambda service=service, unit=unit: service.start(unit))  # type: ignore[misc]  # the loop's values
        else:
            service.start(unit)
    return 0


def stop(call: Call) -> int:
    """Stop units."""
    for service in call.services():
        unit = service.loaded()
        if unit is None:
            raise RefusedError(f"Failed to stop {service.name}: Unit {service.name} not loaded.", NOT_LOADED)
        if not service.ask_to_stop():
            continue
        if call.on("--no-block"):
            _later(lambda service=service, unit=unit: service.wait_stopped(unit))  # type: ignore[misc]  # the same
        else:
            service.wait_stopped(unit)
    return 0


def _later(act: Callable[[], None]) -> None:
    """Do something in a process of its own, for which the caller does not wait."""
    if os.fork() != 0:
        return
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        act()
    finally:
        os._exit(0)


def restart(call: Call) -> int:
    """Stop units, then start them."""
    stop(Call(call.files, {}, call.names))
    return start(call)


def kill(call: Call) -> int:
    """Send a signal to main processes."""
    number = signal_of(call.options.get("--signal", "TERM"))
    for service in call.services():
        if not service.kill(number):
            raise RefusedError(f"Failed to kill unit {service.name}: Unit {service.name} not loaded.", FAILED)
    return 0


def signal_of(text: str) -> signal.Signals:
    """Read a signal's number or name."""
    if text.isdigit():
        return signal.Signals(int(text))
    return signal.Signals[f"SIG{text.upper().removeprefix('SIG')}"]


def default(call: Call) -> int:
    """Go to the default target, as a boot does."""
    call.reload()
    for name in call.files.wanted():
        service = Service(call.files, name)
        unit = service.loaded()
        if unit is not None and not unit.masked:
            service.start(unit)
    return 0


def poweroff(call: Call) -> int:
    """End every service as a shutdown does; the power itself is not ours to take."""
    for service in call.known():
        service.ask_to_stop()
    for service in call.known():
        service.wait_stopped(service.loaded())
    return 0
