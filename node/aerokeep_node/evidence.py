"""What a write stop did, in the shape that the label is judged by; the same after a lease, a resume or a crash."""

import time
from typing import Any, Dict, List, Optional

from aerokeep_node.namespaces import Activity

TIMES = (
    "armed",
    "guard_sent",
    "guarded",
    "settle_started",
    "flushed",
    "frozen",
    "told",
    "thaw_started",
    "thawed",
    "lift_started",
    "lifted",
)
MOST_ERRORS = 25
LONGEST_DETAIL = 200


def namespace_evidence(former: Dict[str, str], *, proven: Optional[Activity] = None) -> Dict[str, Any]:
    """Shape what is known of one namespace before it has been read again.

    Args:
        former: the settings to be put back.
        proven: the look with which the flush proof ended; None where it never did.

    """
    return {
        "former": former,
        "before": {} if proven is None else proven.as_json(),
        "after": {},
        "unchanged": False,
        "unchanged_until": None,
        "changed": [],
        "flushed": proven is not None,
        "master_objects": None if proven is None else proven.master_objects,
        "tombstones": None if proven is None else proven.tombstones,
    }


class Record:
    """Collects as the write stop goes on; ``as_json`` is EVIDENCE of the contract."""

    def __init__(self, run: str, token: str) -> None:
        self.run = run
        self.token = token
        self.node_id = ""
        self.ended_by = "never_started"
        self.clocks: List[Dict[str, Any]] = []
        self.times: Dict[str, Optional[float]] = dict.fromkeys(TIMES)
        self.guarded_at_start = False
        self.guarded_at_end = False
        self.namespaces: Dict[str, Dict[str, Any]] = {}
        self.mounts: Dict[str, Dict[str, Any]] = {}
        self.synced: Dict[str, float] = {}
        self.cluster: Dict[str, Any] = {"before": None, "after": None}
        self.smd: Dict[str, Optional[str]] = {"before": None, "after": None}
        self.aside: Dict[str, Any] = {"files": [], "truncated": False}
        self.errors: List[Dict[str, Any]] = []

    def stamp(self, name: str) -> None:
        """Note that something happens now, by this host's wall clock."""
        self.times[name] = time.time()

    def complain(self, act: str, detail: str) -> None:
        """Note what went wrong; more of the same than can be read is dropped."""
        if len(self.errors) < MOST_ERRORS:
            self.errors.append({"at": time.time(), "act": act, "detail": detail[:LONGEST_DETAIL]})

    def as_json(self) -> Dict[str, Any]:
        """Shape it as the contract does."""
        return {
            "run": self.run,
            "token": self.token,
            "node_id": self.node_id,
            "ended_by": self.ended_by,
            "clocks": self.clocks,
            "times": self.times,
            "guarded_all": self.guarded_at_start and self.guarded_at_end,
            "namespaces": self.namespaces,
            "mounts": self.mounts,
            "synced": self.synced,
            "cluster": self.cluster,
            "smd": self.smd,
            "aside": self.aside,
            "errors": self.errors,
        }
