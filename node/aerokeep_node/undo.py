"""Undo a write stop: thaw, then lift, and go on until nothing of it can come back."""

import time
from typing import Any, Callable, Dict, List

from aerokeep_node.asd import Asd
from aerokeep_node.clock import read_clock
from aerokeep_node.evidence import Record, namespace_evidence
from aerokeep_node.freeze import HeldMount
from aerokeep_node.route import route_of
from aerokeep_node.run_directory import EVIDENCE, INTENT, RunDirectory
from aerokeep_node.settings import LOST_WATCH_S, Lift, NamespaceSettings

FIRST_THAW_WAIT_S = 2.0
"""The lift comes after the thaw; but a thaw that hangs behind a half-done freeze must not keep writes rejected."""
STEP_S = 0.02
GONE_S = 3.0
"""A server whose process is gone and which answers nobody for so long has lost its run-time settings with it."""


def undo(
    record: Record,
    mounts: List[HeldMount],
    settings: List[NamespaceSettings],
    *,
    asd_runs: Callable[[], bool],
    before_lift: Callable[[], None],
    adopted: bool = False,
) -> None:
    """Thaw and lift until both stay done; there is no time limit, since there is nothing better to do.

    Args:
        record: gets the instants and what went wrong.
        mounts: what was or is being frozen.
        settings: what was or is being changed.
        asd_runs: whether the server's process is there.
        before_lift: called between thaw and lift, to read what must be read under the guard.
        adopted: another process began this write stop and is gone; its requests may be under way still.

    """
    _begin_thaw(record, mounts, adopted=adopted)
    try:
        before_lift()
    except Exception as error:  # noqa: BLE001 - what can't be read is missing evidence, never a reason not to lift
        record.complain("after", f"{type(error).__name__}: {error}")
    if any(one.changed for one in settings):
        record.stamp("lift_started")
    lift = Lift(settings)
    watch_until_s = time.monotonic() + (LOST_WATCH_S if adopted else 0.0)
    while True:
        lifted = lift.step(time.time())
        for mount in mounts:
            mount.freeze_ended()
        if not lifted and lift.silent_s > GONE_S and not asd_runs():
            record.complain("lift", "the server is gone, and its run-time settings with it")
            lifted = True
        if lifted and all(mount.clear.is_set() for mount in mounts) and time.monotonic() >= watch_until_s:
            break
        time.sleep(STEP_S)
    record.times["lifted"] = lift.lifted_at
    _record_mounts(record, mounts)


def _begin_thaw(record: Record, mounts: List[HeldMount], *, adopted: bool) -> None:
    if any(mount.touched for mount in mounts) or (adopted and mounts):
        record.stamp("thaw_started")
    for mount in mounts:
        mount.begin_thaw(adopted=adopted)
    until_s = time.monotonic() + FIRST_THAW_WAIT_S
    for mount in mounts:
        if not mount.looked.wait(max(0.0, until_s - time.monotonic())):
            record.complain("thaw", f"{mount.mount_point}: no answer yet, lifting meanwhile")


def _record_mounts(record: Record, mounts: List[HeldMount]) -> None:
    for mount in mounts:
        record.mounts[mount.mount_point] = {"frozen": mount.frozen_at, "thawed": mount.thawed_at, "held": mount.held}
        for error in mount.errors:
            record.complain("freeze", error)
    thawed = [mount.thawed_at for mount in mounts if mount.thawed_at is not None]
    record.times["thawed"] = max(thawed) if thawed else None


def recover(run: RunDirectory, asd: Asd) -> Dict[str, Any]:
    """Undo the write stop of a resident that was killed, from its intent; needs the lease lock."""
    intent = run.read(INTENT) or {}
    record = Record(run.run, str(intent.get("token", "")))
    record.node_id = str(intent.get("node_id", ""))
    record.ended_by = "failure"
    record.clocks = list(intent.get("clocks", []))
    record.times.update(intent.get("times", {}))
    record.complain("lease", "the resident was killed while {}; undone from its intent".format(intent.get("state")))
    settings = []
    for name, former in intent.get("former", {}).items():
        one = NamespaceSettings(route_of(intent["route"]), name, former)
        one.changed = True
        settings.append(one)
        record.namespaces[name] = namespace_evidence(former)
    mounts = []
    for mount_point in intent.get("mounts", []):
        try:
            mounts.append(HeldMount(mount_point, run.tree))
        except OSError as error:
            record.complain("thaw", str(error))
    undo(record, mounts, settings, asd_runs=asd.still_runs, before_lift=lambda: None, adopted=True)
    record.clocks.append(read_clock().as_json())
    evidence = record.as_json()
    run.write(EVIDENCE, evidence)
    return evidence
