"""Unit files as systemd reads them: the package's own, what stands below /etc, drop-ins, masks and enablement."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

PACKAGED = {
    "aerospike.service": """\
[Unit]
Description=Aerospike Server
After=network-online.target
Wants=network.target

[Service]
LimitNOFILE=100000
TimeoutSec=600
Environment=ASD_CONFIG_FILE=/etc/aerospike/aerospike.conf
EnvironmentFile=-/etc/sysconfig/aerospike
ExecStart=/usr/bin/asd $ASD_OPTIONS --config-file $ASD_CONFIG_FILE --fgdaemon

[Install]
WantedBy=multi-user.target
"""
}
"""Units that packages of the image have installed."""
PACKAGE_FOLDER = "/usr/lib/systemd/system"
FOLDER = "/etc/systemd/system"
WANTS = f"{FOLDER}/multi-user.target.wants"
PRESET_MARK = "/etc/machine-id"
_LISTS = ("Environment", "EnvironmentFile", "ExecStart")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class UnitError(Exception):
    """A unit can't be used as asked; in systemd's words."""


@dataclass(frozen=True)
class Unit:
    """A unit as loaded: what a start goes by, whatever its files say meanwhile."""

    name: str
    fragment: str
    """Where its own file is; ``/dev/null`` for a masked one."""
    texts: tuple[tuple[str, str], ...]
    """Its files in the order they count, each with its text."""

    @property
    def masked(self) -> bool:
        """Whether it can't be started."""
        return self.fragment == os.devnull

    @property
    def drop_ins(self) -> tuple[str, ...]:
        """The files that change it."""
        return tuple(path for path, _ in self.texts if f"{self.name}.d/" in path)

    def all(self, name: str) -> list[str]:
        """The values of a setting; an empty assignment to a list forgets what came before."""
        values: list[str] = []
        for _, text in self.texts:
            for key, value in assignments(text):
                if key == name:
                    values = [] if value == "" and name in _LISTS else [*values, value]
        return values

    def last(self, name: str, default: str = "") -> str:
        """The value of a setting that counts once."""
        return (self.all(name) or [default])[-1]

    def to_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Unit:
        """Read what was written down."""
        told = json.loads(text)
        return cls(told["name"], told["fragment"], tuple((path, body) for path, body in told["texts"]))


def assignments(text: str) -> list[tuple[str, str]]:
    """Read ``Name=value`` lines; sections don't matter here, lines that end with a backslash go on."""
    found = []
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip()
        if line and line[0] not in "#;[" and "=" in line:
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found


class UnitFiles:
    """The unit files of a node whose tree is at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        """Where a path of the node is; one that names the root already stays as it is."""
        return Path(path) if path.startswith(f"{str(self.root).rstrip('/')}/") else self.root / path.lstrip("/")

    def read(self, name: str) -> Unit | None:
        """Read a unit anew; ``None`` if there is none of that name."""
        own = self.path(f"{FOLDER}/{name}")
        if self._is_mask(own):
            return Unit(name, os.devnull, ())
        if own.exists():
            fragment, text = f"{FOLDER}/{name}", own.read_text()
        elif name in PACKAGED:
            fragment, text = f"{PACKAGE_FOLDER}/{name}", PACKAGED[name]
        else:
            return None
        folder = self.path(f"{FOLDER}/{name}.d")
        drop_ins = [(f"{FOLDER}/{name}.d/{path.name}", path.read_text()) for path in sorted(folder.glob("*.conf"))]
        return Unit(name, fragment, ((fragment, text), *drop_ins))

    @staticmethod
    def _is_mask(path: Path) -> bool:
        return path.is_symlink() and path.readlink() == Path(os.devnull)

    def mask(self, name: str) -> str | None:
        """Make a unit unstartable; → what was linked, ``None`` if it is masked already.

        Raises:
            UnitError: a file of that name is in the way.

        """
        link = self.path(f"{FOLDER}/{name}")
        if self._is_mask(link):
            return None
        if link.exists():
            raise UnitError(f"Failed to mask unit: File {FOLDER}/{name} already exists.")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.devnull)
        return f"{FOLDER}/{name}"

    def unmask(self, name: str) -> str | None:
        """Undo a mask; → what was removed, ``None`` if there was none."""
        link = self.path(f"{FOLDER}/{name}")
        if not self._is_mask(link):
            return None
        link.unlink()
        return f"{FOLDER}/{name}"

    def enable(self, name: str) -> str | None:
        """Let the boot start it; → what was linked, ``None`` if it is enabled already."""
        link = self.path(f"{WANTS}/{name}")
        if link.is_symlink():
            return None
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"{PACKAGE_FOLDER}/{name}")
        return f"{WANTS}/{name}"

    def disable(self, name: str) -> str | None:
        """Don't let the boot start it; → what was removed, ``None`` if it was not enabled."""
        link = self.path(f"{WANTS}/{name}")
        if not link.is_symlink():
            return None
        link.unlink()
        return f"{WANTS}/{name}"

    def state(self, name: str) -> str:
        """Tell ``enabled``, ``disabled``, ``masked``, or nothing for a unit that does not exist."""
        unit = self.read(name)
        if unit is None:
            return ""
        if unit.masked:
            return "masked"
        return "enabled" if self.path(f"{WANTS}/{name}").is_symlink() else "disabled"

    def wanted(self) -> list[str]:
        """Name the units that the boot starts."""
        return sorted(path.name for path in self.path(WANTS).glob("*.service"))

    def preset(self) -> None:
        """Enable what packages bring, once in the life of a root volume (systemd's rule of the first boot)."""
        mark = self.path(PRESET_MARK)
        if mark.exists():
            return
        mark.parent.mkdir(parents=True, exist_ok=True)
        for name in PACKAGED:
            with contextlib.suppress(FileExistsError):  # another call was first
                self.enable(name)
        mark.write_text(os.urandom(16).hex() + "\n")


def assigned(unit: Unit) -> dict[str, str]:
    """Give the variables that a unit sets by itself."""
    words = [word for value in unit.all("Environment") for word in shlex.split(value)]
    return dict(word.partition("=")[::2] for word in words)


def environment(unit: Unit, files: UnitFiles) -> dict[str, str]:
    """Give the variables that a unit's program gets: its own, over which its environment files count.

    Raises:
        UnitError: an environment file that must be there is not.

    """
    found = assigned(unit)
    for value in unit.all("EnvironmentFile"):
        path = files.path(value.removeprefix("-"))
        if path.exists():
            found |= {key: "".join(shlex.split(word)) for key, word in assignments(path.read_text())}
        elif not value.startswith("-"):
            raise UnitError("Failed to load environment files: No such file or directory")
    return found


def command(line: str, variables: dict[str, str]) -> list[str]:
    """Expand a command line: ``$NAME`` as a word of its own gives its words (none if empty), ``${NAME}`` its text."""
    words: list[str] = []
    for word in shlex.split(line):
        if re.fullmatch(r"\$\w+", word):
            words += variables.get(word[1:], "").split()
        else:
            words.append(_VARIABLE.sub(lambda match: variables.get(match[1], ""), word))
    return words
