"""Verb ``stop``: see to it that the server has ended and that nothing can start it, and let its filesystems go."""

import os
import signal
import time
from typing import Any, Dict, List, Optional

from aerokeep_node.asd import Asd, asd_processes
from aerokeep_node.conf_namespaces import configured_namespaces
from aerokeep_node.formats.device_header import BadHeaderError
from aerokeep_node.headers import read_header
from aerokeep_node.mounting import judge_points, remember, unmount
from aerokeep_node.refusal import HeldError
from aerokeep_node.run_directory import STARTED, STOPPED, RunDirectory, holder_of_lease_lock
from aerokeep_node.storage import Storage
from aerokeep_node.tree import Tree
from aerokeep_node.unit import ENDED, Unit

WAIT_S = 10.0
POLL_S = 0.2
NO_MOUNT = "none"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Wait for a moment; a server that ends slowly is a state, and a later call finds it ended."""
    points = [] if parameters["Unmount"] == NO_MOUNT else sorted(set(parameters["Unmount"].split(",")))
    judge_points(points)
    unit = Unit(tree)
    unit.require()
    holder = holder_of_lease_lock(tree)
    if holder is not None:
        raise HeldError("guard_held", f"the write stop of run {holder} lives on this host")
    directory = RunDirectory(tree, parameters["Run"])
    directory.create()
    known = directory.read(STOPPED) or {"mounts": {}, "clean": None}
    known["mounts"] = remember(points, known["mounts"], Storage(tree))
    directory.write(STOPPED, known)  # before anything is unmounted: `stage back` mounts it again
    directory.drop(STARTED)
    # The mask comes first: nobody, and no Restart= of the unit, may start the server again once it has ended.
    if not unit.masked():
        unit.mask()
    ran = bool(asd_processes(tree))
    still = _end(unit, tree)
    if still is not None:
        return {"state": "stopping", "masked": True, "clean": None, "unmounted": [], "detail": still}
    unit.reload()
    if ran or known["clean"] is None:
        known["clean"] = _ended_cleanly(tree)
        directory.write(STOPPED, known)
    busy = unmount(points, tree)
    return {
        "state": "stopped" if busy is None else "stopping",
        "masked": True,
        "clean": known["clean"],
        "unmounted": points if busy is None else [],
        "detail": busy or "",
    }


def _end(unit: Unit, tree: Tree) -> Optional[str]:
    """Let the server end; say what still lives, None once nothing does."""
    if unit.active() not in ENDED:
        unit.stop()
    until_s = time.monotonic() + WAIT_S
    told: List[int] = []
    while True:
        active = unit.active()
        processes = asd_processes(tree)
        if active in ENDED:
            if not processes:
                return None
            # Started by hand, it is none of the unit's: SIGTERM is what the unit would send.
            for pid, _ in processes:
                if pid not in told:
                    told.append(pid)
                    _terminate(pid)
        if time.monotonic() >= until_s:
            pids = ", ".join(str(pid) for pid, _ in processes)
            return f"the unit is {active}; asd processes: {pids or 'none'}"
        time.sleep(POLL_S)


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _ended_cleanly(tree: Tree) -> Optional[bool]:
    """Ask the headers, into which the server writes last of all that it is trusted; None where none can be read."""
    trusted = []
    for config in configured_namespaces(Asd(tree).conf):
        for path in config.persistence_set:
            try:
                trusted.append(read_header(path.path).trusted)
            except BadHeaderError:
                continue
    return all(trusted) if trusted else None
