"""The files of the server's systemd unit: how it is started, and the drop-in with which its first start differs."""

import os
import re
from typing import Dict, Iterable, List, Optional, Tuple

from aerokeep_node.tree import Tree

UNIT = "aerospike.service"
DIRECTORIES = (
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
)
"""Where systemd looks, the strongest first."""
DROP_IN = "etc/systemd/system/aerospike.service.d/aerokeep-first-start.conf"
FIRST_START_CONF = "aerokeep-first-start.conf"
COLD_START = "--cold-start"
_CONF_OPTION = re.compile(r"(--config-file(?:=|\s+)|(?<![\w-])-f\s+)(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
_HEAD = re.compile(r"^# (/\S+)$")

Fragments = List[Tuple[str, str]]
"""Path and text of each file of a unit, in the order in which they take effect."""


def parse_cat(text: str) -> Fragments:
    """Split the output of ``systemctl cat``, which names each file in a comment above its text."""
    found: Fragments = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            found.append((head.group(1), ""))
        elif found:
            path, before = found[-1]
            found[-1] = (path, before + line + "\n")
    return found


def read_fragments(tree: Tree) -> Fragments:
    """Read a unit's files where ``systemctl cat`` won't show them: of a masked unit it says nothing but that."""
    found: Fragments = []
    for directory in DIRECTORIES:
        text = tree.read(directory, UNIT)
        if text:  # the mask is a link to /dev/null, and reads as empty
            found.append((tree.path(directory, UNIT), text))
            break
    drop_ins: Dict[str, str] = {}
    for directory in reversed(DIRECTORIES):
        for name in tree.listdir(directory, UNIT + ".d"):
            if name.endswith(".conf"):
                drop_ins[name] = os.path.join(directory, UNIT + ".d", name)
    return found + [(tree.path(drop_ins[name]), tree.read(drop_ins[name]) or "") for name in sorted(drop_ins)]


def without_ours(fragments: Iterable[Tuple[str, str]]) -> Fragments:
    """Leave out our own drop-in."""
    return [(path, text) for path, text in fragments if os.path.basename(path) != os.path.basename(DROP_IN)]


def exec_start(fragments: Iterable[Tuple[str, str]]) -> Optional[str]:
    """Give the command that takes effect: the last ``ExecStart``, of which an empty one takes back those before."""
    command: Optional[str] = None
    for _, text in fragments:
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and key.strip() == "ExecStart":
                command = value.strip() or None
    return command


def conf_in(command: str) -> Optional[str]:
    """Give the conf that a command names literally; None where it leaves that to a variable or to the default."""
    found = _CONF_OPTION.search(command)
    value = found.group(2).strip("\"'") if found else ""
    return value if value.startswith("/") and "$" not in value and "%" not in value else None


def first_start_command(command: str, conf: str) -> str:
    """Change a command so that it starts with another conf, and cold.

    Both stand together: within the quotes of a shell, if the command is one, they are still the server's.
    """
    wanted = f"--config-file {_escaped(conf)} {COLD_START}"
    if _CONF_OPTION.search(command):
        return _CONF_OPTION.sub(lambda _: wanted, command, count=1)
    return f"{command} {wanted}"


def _escaped(path: str) -> str:
    escaped = path.replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"\s", escaped) else escaped


def drop_in_text(command: str) -> str:
    """Write the drop-in; the empty line takes the unit's own command back."""
    return f"[Service]\nExecStart=\nExecStart={command}\n"
