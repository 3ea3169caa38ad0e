"""``systemctl`` of a sandbox node: the real one's verbs, words and exit codes, as far as operating a database needs."""

from __future__ import annotations

import getopt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.systemd import files, jobs, questions
from sandbox.systemd.call import FAILED, Call, RefusedError, note
from sandbox.systemd.units import UnitError, UnitFiles

if TYPE_CHECKING:
    from collections.abc import Callable

_SUFFIXES = (".service", ".target", ".timer", ".socket", ".mount")
_SHORT = "qlap:s:n:"
_LONG = (
    *("no-block", "no-reload", "quiet", "no-pager", "full", "all", "now", "value", "plain", "no-legend"),
    *("property=", "signal=", "kill-who=", "kill-whom=", "lines="),
)
_LONG_OF = {"-q": "--quiet", "-p": "--property", "-s": "--signal"}
VERBS: dict[str, Callable[[Call], int]] = {
    "start": jobs.start,
    "stop": jobs.stop,
    "restart": jobs.restart,
    "kill": jobs.kill,
    "default": jobs.default,
    "poweroff": jobs.poweroff,
    "daemon-reload": files.daemon_reload,
    "mask": files.mask,
    "unmask": files.unmask,
    "enable": files.enable,
    "disable": files.disable,
    "is-active": questions.is_active,
    "is-failed": questions.is_failed,
    "is-enabled": questions.is_enabled,
    "show": questions.show,
    "cat": questions.cat,
    "status": questions.show_status,
    "reset-failed": questions.reset_failed,
}
_WITHOUT_UNIT = frozenset({"default", "poweroff", "daemon-reload", "reset-failed"})


def main(argv: list[str]) -> int:
    """Do one verb → exit code."""
    try:
        found, words = getopt.gnu_getopt(argv, _SHORT, list(_LONG))
    except getopt.GetoptError as error:
        note(f"systemctl: {error}")
        return FAILED
    if not words or words[0] not in VERBS:
        note(f"Unknown command verb {words[0] if words else ''}.")
        return FAILED
    verb, *names = words
    if not names and verb not in _WITHOUT_UNIT:
        note("Too few arguments.")
        return FAILED
    units = tuple(name if name.endswith(_SUFFIXES) else f"{name}.service" for name in names)
    call = Call(UnitFiles(Path(os.environ.get("AEROKEEP_ROOT") or "/")), options_of(found), units)
    call.files.preset()
    try:
        return VERBS[verb](call)
    except (RefusedError, UnitError) as error:
        note(str(error))
        return error.code if isinstance(error, RefusedError) else FAILED


def options_of(found: list[tuple[str, str]]) -> dict[str, str]:
    """Give options by their long names; what is given several times is put together."""
    options: dict[str, str] = {}
    for option, value in found:
        name = _LONG_OF.get(option, option)
        options[name] = f"{options[name]},{value}" if options.get(name) else value
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
