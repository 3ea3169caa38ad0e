"""Verbs of `systemctl` that only look."""

from __future__ import annotations

from sandbox.systemd.call import FAILED, INACTIVE, NOT_FOUND, Call, RefusedError
from sandbox.systemd.shown import properties, status, texts


def is_active(call: Call) -> int:
    """Ask whether units run."""
    states = [service.state().active for service in call.services()]
    _tell(call, states)
    if all(state == "active" for state in states):
        return 0
    known = any(service.loaded() for service in call.services())
    return INACTIVE if known else NOT_FOUND


def is_failed(call: Call) -> int:
    """Ask whether a unit has failed."""
    states = [service.state().active for service in call.services()]
    _tell(call, states)
    return 0 if "failed" in states else FAILED


def is_enabled(call: Call) -> int:
    """Ask whether the boot starts units."""
    states = [call.files.state(name) for name in call.names]
    if lost := [name for name, state in zip(call.names, states, strict=True) if not state]:
        raise RefusedError(f"Failed to get unit file state for {lost[0]}: No such file or directory", FAILED)
    _tell(call, states)
    return 0 if all(state == "enabled" for state in states) else FAILED


def _tell(call: Call, lines: list[str]) -> None:
    if not call.on("--quiet"):
        print("\n".join(lines))


def show(call: Call) -> int:
    """Print properties."""
    wanted = [name for name in call.options.get("--property", "").split(",") if name]
    blocks = []
    for service in call.services():
        known = properties(service, call.files)
        shown = {name: value for name, value in known.items() if not wanted or name in wanted}
        blocks.append("\n".join(value if call.on("--value") else f"{name}={value}" for name, value in shown.items()))
    print("\n\n".join(blocks))
    return 0


def cat(call: Call) -> int:
    """Print units' files."""
    for name in call.names:
        unit = call.files.read(name)
        if unit is None:
            raise RefusedError(f"No files found for {name}.", FAILED)
        print(texts(unit))
    return 0


def show_status(call: Call) -> int:
    """Tell a person about units."""
    for service in call.services():
        print(status(service, call.files))
    if all(service.loaded() is None for service in call.services()):
        return NOT_FOUND
    return 0 if all(service.state().active == "active" for service in call.services()) else INACTIVE


def reset_failed(call: Call) -> int:
    """Call failed units inactive again."""
    for service in call.services() or call.known():
        service.forget_failure()
    return 0
