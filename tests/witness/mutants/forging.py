"""What a broken host would have to say for its evidence to show nothing: packed beside a mutant, never shipped."""

import time
from typing import Any

from aerokeep_node.evidence import Record
from aerokeep_node.flush import FlushProof
from aerokeep_node.namespaces import Activity
from aerokeep_node.window import Window


def claim_all_is_well() -> None:
    """Let the evidence say what that of a whole write stop says."""
    honest = Record.as_json

    def as_json(self: Record) -> dict[str, Any]:
        told = honest(self)
        times = told["times"]
        let_go = times["thaw_started"] or times["lift_started"] or time.time()
        times["thaw_started"] = times["thaw_started"] or let_go
        times["frozen"] = times["frozen"] or times["flushed"]
        for seen in told["namespaces"].values():
            seen.update(flushed=True, after=seen["before"], unchanged=True, unchanged_until=let_go, changed=[])
        for mount in told["mounts"].values():
            mount.update(frozen=mount["frozen"] or times["flushed"], thawed=mount["thawed"] or let_go, held=True)
        told.update(guarded_all=True, errors=[])
        return told

    Record.as_json = as_json  # type: ignore[method-assign]  # that is what a mutant is


def see_no_write() -> None:
    """Take the first look for a flush proof, and everything for guarded."""

    def look(self: FlushProof, now_s: float, activity: Activity, in_progress: int) -> bool:
        del now_s, activity, in_progress
        self.proven = True
        return True

    FlushProof.look = look  # type: ignore[method-assign]  # the same
    Window._all_guarded = lambda self: True  # type: ignore[method-assign]  # noqa: ARG005, SLF001  # the same


def leave_unguarded(node_id: str = "") -> None:
    """Set the guard to what it was; on this node, or on all."""
    honest = Window.guard

    def guard(self: Window) -> None:
        request = self.request
        if node_id in ("", request["node_id"]):
            request["guards"] = {
                name: [(setting, request["former"][name][setting]) for setting, _ in guards]
                for name, guards in request["guards"].items()
            }
        honest(self)

    Window.guard = guard  # type: ignore[method-assign]  # the same
