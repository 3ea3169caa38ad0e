"""A bar on this host: somebody resumed writes by hand, so no write stop that was ordered before may begin after it."""

import os
from typing import Optional

from aerokeep_node.clock import monotonic_s
from aerokeep_node.host_lock import HOME
from aerokeep_node.run_directory import write_whole
from aerokeep_node.tree import Tree

LONGEST_LEAD_S = 120.0
"""A write stop begins at most so long after it was ordered: what was ordered before the bar is too late after it."""
_FILE = "barred-until"


def bar(tree: Tree) -> None:
    """Let no write stop be armed on this host for a while, whatever run it is of."""
    os.makedirs(tree.path(HOME), mode=0o700, exist_ok=True)
    write_whole(tree.path(HOME, _FILE), f"{monotonic_s() + LONGEST_LEAD_S:.3f}".encode("ascii"))


def barred_for_s(tree: Tree) -> Optional[float]:
    """Say for how many seconds the bar stands still, if it does."""
    try:
        left_s = float(tree.read(HOME, _FILE) or "0") - monotonic_s()
    except ValueError:
        return None
    return left_s if left_s > 0 else None


def why_barred(left_s: float) -> str:
    """Say it for people."""
    return f"writes were resumed here by hand: no write stop begins for another {left_s:.0f} s"
