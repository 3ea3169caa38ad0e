"""What `systemctl show`, `status` and `cat` print of a unit."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from sandbox.systemd.service import stop_timeout_s
from sandbox.systemd.units import Unit, assigned

if TYPE_CHECKING:
    from sandbox.systemd.process import Process
    from sandbox.systemd.service import Service
    from sandbox.systemd.units import UnitFiles

_EXITED, _KILLED = 1, 2
"""CLD_EXITED and CLD_KILLED: systemd's numbers for how a process ended."""
_LAST_LINES = 10


def properties(service: Service, files: UnitFiles) -> dict[str, str]:
    """Give all properties that are known here, in systemd's order."""
    unit, state = service.loaded(), service.state()
    process = state.process
    shown = {
        "Type": "simple",
        "Restart": unit.last("Restart", "no") if unit else "no",
        "TimeoutStopUSec": _span(stop_timeout_s(unit)),
        "MainPID": str(state.main_pid),
        "Result": (process.result if process else "") or "success",
        "NRestarts": "0",
    }
    shown |= _main(process)
    if unit is not None and not unit.masked:
        shown |= _program(unit, process)
    return shown | {
        "Id": service.name,
        "Names": service.name,
        "LoadState": "not-found" if unit is None else "masked" if unit.masked else "loaded",
        "ActiveState": state.active,
        "SubState": state.sub,
        "FragmentPath": unit.fragment if unit else "",
        "DropInPaths": " ".join(unit.drop_ins) if unit else "",
        "UnitFileState": files.state(service.name),
        "NeedDaemonReload": "no" if files.read(service.name) == unit else "yes",
    }


def _main(process: Process | None) -> dict[str, str]:
    code = 0 if process is None or not process.ended else _KILLED if process.signal else _EXITED
    status = 0 if process is None else process.signal or process.status
    pid = process.pid if process else 0
    return {"ExecMainPID": str(pid), "ExecMainCode": str(code), "ExecMainStatus": str(status)}


def _program(unit: Unit, process: Process | None) -> dict[str, str]:
    line = unit.last("ExecStart")
    began = f"[{time.strftime('%a %Y-%m-%d %H:%M:%S UTC', time.gmtime(process.started_at))}]" if process else "[n/a]"
    start = (
        f"{{ path={line.partition(' ')[0]} ; argv[]={line} ; ignore_errors=no ; start_time={began} ; "
        f"stop_time=[n/a] ; pid={process.pid if process else 0} ; code=(null) ; status=0/0 }}"
    )
    found = unit.all("EnvironmentFile")
    files = [f"{name.removeprefix('-')} (ignore_errors={'yes' if name[:1] == '-' else 'no'})" for name in found]
    variables = [shlex.quote(f"{name}={value}") for name, value in assigned(unit).items()]
    return {"ExecStart": start, "Environment": " ".join(variables), "EnvironmentFiles": " ".join(files)}


def _span(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return " ".join(filter(None, (f"{minutes:.0f}min" if minutes else "", f"{rest:g}s" if rest else ""))) or "0"


def status(service: Service, files: UnitFiles) -> str:
    """Tell a person about a unit."""
    unit, state = service.loaded(), service.state()
    if unit is None:
        return f"Unit {service.name} could not be found."
    loaded = f"masked (Reason: Unit {service.name} is masked.)"
    if not unit.masked:
        loaded = f"loaded ({unit.fragment}; {files.state(service.name)}; preset: enabled)"
    lines = [f"● {service.name} - {unit.last('Description', service.name)}", f"     Loaded: {loaded}"]
    if unit.drop_ins:
        lines.append(f"    Drop-In: {', '.join(unit.drop_ins)}")
    result = f" (Result: {state.process.result})" if state.process and state.active == "failed" else f" ({state.sub})"
    lines.append(f"     Active: {state.active}{result}")
    if state.process:
        lines.append(f"   Main PID: {state.process.pid} ({' '.join(state.process.argv)})")
    return "\n".join([*lines, "", *service.words()[-_LAST_LINES:]])


def texts(unit: Unit) -> str:
    """Give a unit's files one after the other."""
    if unit.masked:
        return f"# Unit {unit.name} is masked."
    return "\n".join(f"# {path}\n{text.rstrip()}\n" for path, text in unit.texts)
