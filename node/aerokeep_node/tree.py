"""Where the host's trees are: ``/`` in production, a recorded or private tree where ``AEROKEEP_ROOT`` says so."""

import os
from typing import List, Optional


class Tree:
    """Paths below the root. Storage and conf paths that asd itself names never go through here."""

    def __init__(self, root: str) -> None:
        self.root = root

    @classmethod
    def from_environment(cls) -> "Tree":
        """Take the root from ``AEROKEEP_ROOT``."""
        return cls(os.environ.get("AEROKEEP_ROOT") or "/")

    def path(self, *parts: str) -> str:
        """Join below the root; leading slashes of the parts don't escape it."""
        return os.path.join(self.root, *(part.lstrip("/") for part in parts))

    def read(self, *parts: str) -> Optional[str]:
        """Read a small text file; None where it can't be read."""
        return read_text(self.path(*parts))

    def listdir(self, *parts: str) -> List[str]:
        """List a directory in sorted order; empty where there is none."""
        try:
            return sorted(os.listdir(self.path(*parts)))
        except OSError:
            return []


def read_text(path: str) -> Optional[str]:
    """Read a small text file; None where it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return None
