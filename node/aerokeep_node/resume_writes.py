"""Verb ``resume-writes``: end the write stop of a run now, and give its evidence as often as it is asked for."""

import json
import time
from typing import Any, Dict, Optional

from aerokeep_node.resident import end_abandoned
from aerokeep_node.resume_all import WHOLE_HOST, resume_all
from aerokeep_node.run_directory import (
    ARMED,
    EVIDENCE,
    INTENT,
    REQUEST,
    RESUME,
    TOMBSTONE,
    RunDirectory,
    holder_of_lease_lock,
)
from aerokeep_node.tree import Tree

WAIT_S = 30.0
POLL_S = 0.02
COUNTERS_UP_TO = 20000
STATE_OF = {"resume": "resumed", "never_started": "resumed", "lease": "lease_ended", "failure": "lease_ended"}


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Wait until everything is lifted; never an error, whatever state the run is in."""
    if parameters["Run"] in WHOLE_HOST:
        return resume_all(tree, parameters, lambda directory: str(_end(directory)["state"]))
    directory = RunDirectory(tree, parameters["Run"])
    if parameters["Tombstone"] == "yes":
        directory.create()
        directory.mark(TOMBSTONE)
    if not directory.has(REQUEST):
        return {"state": "never_armed", "evidence": None}
    return _end(directory)


def _end(directory: RunDirectory) -> Dict[str, Any]:
    if not directory.has(EVIDENCE):
        directory.mark(RESUME)
    evidence = _wait_for_evidence(directory)
    if evidence is not None:
        return {"state": STATE_OF[evidence["ended_by"]], "evidence": _fitting(evidence)}
    return {"state": "undoing" if directory.has(ARMED) else "never_armed", "evidence": None}


def _fitting(evidence: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out counters that say nothing, where many namespaces would make the reply longer than SSM carries."""
    if len(json.dumps(evidence)) > COUNTERS_UP_TO:
        for namespace in evidence["namespaces"].values():
            if namespace["unchanged"]:
                namespace["before"] = namespace["after"] = {}
    return evidence


def _wait_for_evidence(directory: RunDirectory) -> Optional[Dict[str, Any]]:
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        evidence = directory.read(EVIDENCE)
        if evidence is not None:
            return evidence
        if holder_of_lease_lock(directory.tree) != directory.run:
            # Read once more: it may have ended between the two looks.
            evidence = directory.read(EVIDENCE)
            if evidence is not None or not directory.has(INTENT):
                return evidence
            end_abandoned(directory)
        time.sleep(POLL_S)
    return None
