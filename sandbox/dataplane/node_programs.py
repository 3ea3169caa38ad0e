"""Programs of a node's own, first on its PATH: `systemctl`, `journalctl`, `aws` in the node's role, backup tools."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox.dataplane.plane import DataPlane, DataPlaneError

SHUTDOWN_S = 15.0
"""How long a shutdown waits for services (EC2 gives an operating system some minutes before it takes the power)."""
_REPOSITORY = Path(__file__).resolve().parents[2]
_SYSTEMCTL = """\
#!/bin/sh
# systemctl of a sandbox node. Like init it knows the node's tree, clock and marks, whoever calls it.
export {environment}
PYTHONPATH={repository} PYTHONDONTWRITEBYTECODE=1 exec {python} -S -m sandbox.systemd "$@"
"""
_JOURNALCTL = """\
#!/bin/sh
# journalctl of a sandbox node: the last words of a service's programs (-u UNIT, -n LINES; all else is taken as said).
unit=aerospike.service lines=1000
while [ $# -gt 0 ]; do
    case "$1" in
    -u | --unit) unit=$2; shift ;;
    --unit=*) unit=${{1#*=}} ;;
    -n | --lines) lines=$2; shift ;;
    --lines=*) lines=${{1#*=}} ;;
    -n*) lines=${{1#-n}} ;;
    -o | --output | -S | --since) shift ;;
    esac
    shift
done
case "$unit" in *.service) ;; *) unit=$unit.service ;; esac
[ -e {root}/run/units/"$unit"/console.log ] || {{ echo "-- No entries --"; exit 0; }}
exec tail -n "$lines" {root}/run/units/"$unit"/console.log
"""
_AWS = """\
#!/bin/sh
# aws of a sandbox node: the real AWS CLI in the role of this instance, and of nobody else on the machine.
unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_REGION
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
[ -e {role} ] && . {role}
PYTHONDONTWRITEBYTECODE=1 exec {python} -P -m awscli "$@"
"""
_TOOL = """\
#!/bin/sh
# {name} of a sandbox node: a stand-in, since the machine has no real one.
PYTHONPATH={path} PYTHONDONTWRITEBYTECODE=1 exec {python} -P -m sandbox.tools.{name} "$@"
"""
_PYTHON = """\
#!/bin/sh
# python3 of a sandbox node: a version manager's shim would put folders of the machine before those of the node.
exec {python} "$@"
"""
_TOOLS = ("asbackup", "asrestore")
_ROLE = "role.sh"


def install(folder: Path, environment: Mapping[str, str]) -> None:
    """Write (or renew) the programs; ``environment`` is what the node's init gives to what it starts."""
    exported = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    texts = {
        "systemctl": _SYSTEMCTL.format(
            environment=exported, repository=shlex.quote(str(_REPOSITORY)), python=shlex.quote(sys.executable)
        ),
        "journalctl": _JOURNALCTL.format(root=shlex.quote(environment["AEROKEEP_ROOT"].rstrip("/"))),
        "python3": _PYTHON.format(python=shlex.quote(str(Path(sys.executable).resolve()))),
        **_tools(folder),
    }
    for name, text in texts.items():
        draft = folder / f".{name}"
        draft.write_text(text)
        draft.chmod(0o755)
        draft.rename(folder / name)  # a running shell reads its script as it goes


def _tools(folder: Path) -> dict[str, str]:
    python, path = shlex.quote(sys.executable), shlex.quote(f"{_REPOSITORY}{os.pathsep}{_REPOSITORY / 'node'}")
    # What the machine has itself is found on the node's PATH too, behind this folder.
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    texts = {name: _TOOL.format(name=name, path=path, python=python) for name in missing}
    if importlib.util.find_spec("awscli"):
        texts["aws"] = _AWS.format(role=shlex.quote(str(folder / _ROLE)), python=python)
    return texts


class NodeServices:
    """The part of a data plane that has to do with the nodes' own programs."""

    def give_role(self: DataPlane, instance_id: str, environment: Mapping[str, str]) -> None:
        """Let the node's `aws` sign with these variables, as with an instance role's credentials; none takes them."""
        role = self.shared / instance_id / _ROLE
        draft = role.with_name(f".{_ROLE}")
        draft.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()))
        draft.chmod(0o600)
        draft.rename(role)

    def boot(self: DataPlane, instance_id: str) -> None:
        """Start what the node's default target wants.

        Raises:
            DataPlaneError: systemctl itself failed, which it does for no service that fails.

        """
        process = _systemctl(self, instance_id, "default")
        words, _ = process.communicate()
        if process.returncode > 0:  # below zero: the power went off meanwhile
            raise DataPlaneError(f"no_boot: {instance_id}: {words.decode(errors='replace').strip()}")

    def shut_down(self: DataPlane, instance_id: str) -> None:
        """End all services; what takes too long is left to lose its power."""
        process = _systemctl(self, instance_id, "poweroff")
        try:
            process.communicate(timeout=SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _systemctl(plane: DataPlane, instance_id: str, verb: str) -> "subprocess.Popen[bytes]":
    argv, none = ["systemctl", verb], subprocess.DEVNULL
    return plane.spawn(instance_id, argv, stdin=none, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
