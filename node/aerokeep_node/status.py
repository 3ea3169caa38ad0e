"""Verb ``status``: how far the job of a run is, and what this host has for exports and imports."""

import os
import shutil
from typing import Any, Dict

from aerokeep_node.run_directory import TRANSFER, RunDirectory
from aerokeep_node.transfer.progress import blank_status, read_status, touch_heartbeat
from aerokeep_node.transfer.spool import free_mib
from aerokeep_node.transfer.tools import BACKUP, PROGRAMS, RESTORE, can_validate, tool_version
from aerokeep_node.tree import Tree

NO_RUN = "none"
DIRECTORY = "/var/lib/aerokeep/transfer"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Look, and so tell the job that somebody does."""
    if parameters["Run"] == NO_RUN:
        return dict(blank_status(), facts=_facts(tree, DIRECTORY))
    directory = RunDirectory(tree, parameters["Run"])
    order = directory.read(TRANSFER) or {}
    if order:
        touch_heartbeat(directory)
    return dict(read_status(directory), facts=_facts(tree, str(order.get("directory", DIRECTORY))))


def _facts(tree: Tree, directory: str) -> Dict[str, Any]:
    return {
        "tools": {BACKUP: tool_version(BACKUP), RESTORE: tool_version(RESTORE)},
        "validate": can_validate(),
        "programs": {name: shutil.which(name) is not None for name in PROGRAMS},
        "load": round(os.getloadavg()[0], 2),
        "cpus": os.cpu_count() or 1,
        "free_mib": free_mib(tree.path(directory)) or 0,
    }
