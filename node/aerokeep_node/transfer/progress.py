"""How far the job of a run is: the file that it writes, and what verbs answer from it."""

import json
import os
import time
from typing import Any, Dict, List, Optional

from aerokeep_node.run_directory import PROGRESS, TRANSFER_LOCK, TRANSFER_TOMBSTONE, RunDirectory
from aerokeep_node.transfer.order import Order
from aerokeep_node.transfer.tool_output import no_counters

HEARTBEAT = "heartbeat"
"""Touched by each verb that asks; a job that nobody asks for ends itself."""
RUNNING, DONE, FAILED, CANCELLED, DEAD, NONE = "running", "done", "failed", "cancelled", "dead", "none"
WAITING = "waiting"
START_S = 10.0
"""So long a job that was just started may take until it holds its lock."""
LONGEST_DETAIL = 1000
LONGEST_PART_DETAIL, SHORTEST_DETAIL = 200, 60
"""With 64 parts, the reply must fit into what SSM carries."""
MOST_CHARACTERS = 23000
_STATUS = ("state", "kind", "token", "tool", "began_at", "ended_at", "parts", "detail", "key_check")


def blank_status() -> Dict[str, Any]:
    """Give the status of a run that never had a job."""
    nothing: Dict[str, Any] = dict.fromkeys(_STATUS)
    return dict(nothing, state=NONE, parts=[], detail="")


def first_progress(order: Order, tool: Optional[Dict[str, str]], key_check: Optional[str]) -> Dict[str, Any]:
    """Give the progress of a job that is about to start."""
    parts = [blank_part(order.kind, part.name) for part in order.export_parts]
    parts += [dict(blank_part(order.kind, part.name), files_done=part.skip) for part in order.import_parts]
    return dict(
        blank_status(),
        state=RUNNING,
        kind=order.kind,
        token=order.token,
        tool=tool,
        key_check=key_check,
        began_at=time.time(),
        parts=parts,
        pid=None,
    )


def blank_part(kind: str, name: str) -> Dict[str, Any]:
    """Give a part that waits."""
    part: Dict[str, Any] = {
        "name": name,
        "state": WAITING,
        "percent": 0,
        "rate": 0,
        "remaining_s": None,
        "files": 0,
        "bytes": 0,
        "error": None,
    }
    if kind in ("export", "estimate"):
        part.update({"listing": None, "summary": None})
    if kind == "estimate":
        part.update({"estimate": None})
    if kind in ("import", "verify"):
        part.update({"files_done": 0, "begun": False, "sindexes": 0, "udfs": 0})
        part.update({"counters": no_counters() if kind == "import" else {"records": 0}})
    if kind == "verify":
        part.update({"method": None, "sample": None})
    return part


def part_error(code: str, detail: str) -> Dict[str, str]:
    """Shape why a part failed."""
    return {"code": code, "detail": detail[:LONGEST_PART_DETAIL]}


def touch_heartbeat(directory: RunDirectory) -> None:
    """Tell the job that somebody still asks."""
    with open(directory.file(HEARTBEAT), "ab"):
        os.utime(directory.file(HEARTBEAT), None)


def read_status(directory: RunDirectory) -> Dict[str, Any]:
    """Give what the verbs answer; ``dead`` is a job that says it runs while nobody holds its lock."""
    progress = directory.read(PROGRESS)
    if progress is None:
        return blank_status()
    status = {name: progress.get(name) for name in _STATUS}
    if status["state"] == RUNNING and TRANSFER_LOCK.holder(directory.tree) != directory.run:
        # It may have ended, or not yet begun, in this very moment.
        progress = directory.read(PROGRESS) or progress
        status = {name: progress.get(name) for name in _STATUS}
        starting = progress.get("pid") is None and time.time() - progress["began_at"] < START_S
        if status["state"] == RUNNING and not starting:
            status["state"] = CANCELLED if directory.has(TRANSFER_TOMBSTONE) else DEAD
    return _fitting(status)


def _fitting(status: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out of many parts what says nothing, and most of why they failed."""
    if len(json.dumps(status, separators=(",", ":"))) < MOST_CHARACTERS:
        return status
    parts = [{name: value for name, value in part.items() if value not in (None, 0, {})} for part in status["parts"]]
    for part in parts:
        if part["state"] == DONE:
            for name in ("percent", "rate"):
                part.pop(name, None)
        if "error" in part:
            part["error"] = dict(part["error"], detail=part["error"]["detail"][:SHORTEST_DETAIL])
    return dict(status, parts=parts)


def lives(directory: RunDirectory) -> bool:
    """Whether a process of this run's job is there."""
    return TRANSFER_LOCK.holder(directory.tree) == directory.run


def outcome(parts: List[Dict[str, Any]], *, cancelled: bool) -> str:
    """Judge a job that has ended by its parts."""
    if cancelled:
        return CANCELLED
    return DONE if all(part["state"] == DONE for part in parts) else FAILED
