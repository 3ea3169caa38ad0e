"""One call of `systemctl`: its options and units, and how a verb says that it failed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.systemd.service import STATES, Service
from sandbox.systemd.units import PACKAGED

if TYPE_CHECKING:
    from sandbox.systemd.units import UnitFiles

FAILED, INACTIVE, NOT_FOUND, NOT_LOADED = 1, 3, 4, 5
"""Exit codes, as LSB has them."""


class RefusedError(Exception):
    """A verb failed; with what is said and the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Call:
    """What was asked."""

    files: UnitFiles
    options: dict[str, str]
    names: tuple[str, ...]

    def on(self, option: str) -> bool:
        """Whether a flag was given."""
        return option in self.options

    def services(self) -> list[Service]:
        """The services that were named."""
        return [Service(self.files, name) for name in self.names]

    def known(self) -> list[Service]:
        """All that can be known here: what packages have brought, and what was ever loaded."""
        loaded = (path.parent.name for path in (self.files.root / STATES).glob("*/loaded.json"))
        return [Service(self.files, name) for name in sorted({*PACKAGED, *loaded})]

    def reload(self) -> None:
        """Read all unit files anew."""
        for service in self.known():
            service.load()


def note(text: str) -> None:
    """Say it where the real one does."""
    print(text, file=sys.stderr)
