"""Verbs ``stop-writes`` and ``resume-writes`` of a light host: the guard by the clock, and its evidence."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aerokeep_node.barring import LONGEST_LEAD_S, why_barred
from aerokeep_node.conf import parse_conf
from aerokeep_node.conf_text import GUARD
from aerokeep_node.refusal import HeldError, NotNowError, RefusalError
from aerokeep_node.resume_all import CONF, EVERYTHING, FIRST_START, UNKNOWN, WHOLE_HOST

from sandbox.light.cluster import View, counts
from sandbox.light.host import CONF as CONF_PATH
from sandbox.light.host import FIRST_START_CONF, Host
from sandbox.light.server import Server

GUARDED_AFTER_S, SETTLED_AFTER_S, FLUSHED_AFTER_S, FROZEN_AFTER_S = 0.02, 0.3, 0.4, 0.45
"""From T0; about what a healthy host takes."""
NO_FREEZE = "none"
Reply = dict[str, Any]


@dataclass(eq=False)
class Stop:
    """A write stop of one run, by the host's clock."""

    run: str
    token: str
    start_at: float
    end_at: float
    namespaces: tuple[str, ...]
    mounts: tuple[str, ...]
    """Frozen from some time after T0 until writes are resumed: what is guarded changes no file in any case."""
    membership: Reply
    clock: Reply
    lifted_at: float | None = None
    ended_by: str = "lease"


def settle(host: Host) -> None:
    """Let the guard be what the clock says."""
    stop = host.stop
    if not isinstance(stop, Stop) or stop.lifted_at is not None:
        return
    if host.now >= stop.end_at:
        stop.lifted_at = stop.end_at
        _guard(host, stop, guarded=False)
    elif host.now >= stop.start_at:
        _guard(host, stop, guarded=True)


def _guard(host: Host, stop: Stop, *, guarded: bool) -> None:
    for name in stop.namespaces:
        if host.server is not None and name in host.server.namespaces:
            host.server.namespaces[name].guarded = guarded


def stop_writes(host: Host, parameters: Mapping[str, str], view: View | None, clock: Reply) -> Reply:
    """Arm; the clock does the rest."""
    settle(host)
    run, former = parameters["Run"], host.stop
    if run in host.tombstones:
        raise RefusalError("tombstone", f"no write stop may start for {run} any more")
    if (left_s := host.barred_until_s - time.monotonic()) > 0:
        raise NotNowError("barred", why_barred(left_s))
    if host.server is None or view is None:
        raise NotNowError("asd_not_running", "no server answers on this host")
    if isinstance(former, Stop) and former.run == run and former.lifted_at is not None:
        raise RefusalError("run_is_over", f"run {run} had its try; a new one needs a run of its own")
    if isinstance(former, Stop) and former.lifted_at is None and former.token != parameters["Token"]:
        raise HeldError("guard_held", f"the write stop of run {former.run} lives on this host")
    offset_s = clock["offset_s"]
    host.stop = Stop(
        run=run,
        token=parameters["Token"],
        start_at=float(parameters["StartAt"]) + offset_s,
        end_at=float(parameters["EndAt"]) + offset_s,
        namespaces=tuple(parameters["Namespaces"].split(",")),
        mounts=tuple(mount for mount in parameters["Freeze"].split(",") if mount != NO_FREEZE),
        membership=_membership(host, view),
        clock=clock,
    )
    return {"state": "armed"}


def resume_writes(host: Host, parameters: Mapping[str, str], view: View | None, clock: Reply) -> Reply:
    """Lift now, and tell."""
    settle(host)
    stop, run = host.stop, parameters["Run"]
    if run in WHOLE_HOST:
        return _resume_all(host, parameters)
    if parameters["Tombstone"] == "yes":
        host.tombstones.add(run)
    if not isinstance(stop, Stop) or stop.run != run:
        return {"state": "never_armed", "evidence": None}
    _end(host, stop)
    state = "resumed" if stop.ended_by == "resume" else "lease_ended"
    return {"state": state, "evidence": _evidence(host, stop, view, clock)}


def _end(host: Host, stop: Stop) -> None:
    if stop.lifted_at is None:
        stop.lifted_at, stop.ended_by = host.now, "resume"
        _guard(host, stop, guarded=False)


def _resume_all(host: Host, parameters: Mapping[str, str]) -> Reply:
    runs = {}
    if parameters["Tombstone"] == "yes":
        host.barred_until_s = time.monotonic() + LONGEST_LEAD_S
    if isinstance(host.stop, Stop) and host.stop.lifted_at is None:
        runs[host.stop.run] = "resumed"
        _end(host, host.stop)
    state = "resumed" if runs else "nothing_to_resume"
    if host.server is None:
        unread = "asd_not_running: no process named asd on this host"
        return {"state": state, "runs": runs, "guards": [], "unread": unread}
    guards = _others(host.server, lift=parameters["Run"] == EVERYTHING)
    return {"state": state, "runs": runs, "guards": guards, "unread": None}


def _others(server: Server, *, lift: bool) -> list[Reply]:
    """What still rejects writes, and why."""
    conf, found = parse_conf(server.host.read(CONF_PATH) or ""), []
    for name, namespace in server.namespaces.items():
        if not namespace.guarded:
            continue
        context = conf.child("namespace", name)
        on_disk = context is not None and context.get(GUARD) == "true"
        cause = FIRST_START if server.conf_path == FIRST_START_CONF else CONF if on_disk else UNKNOWN
        lifted = lift and cause == UNKNOWN
        namespace.guarded = not lifted
        found.append({"namespace": name, "setting": GUARD, "value": "true", "cause": cause, "lifted": lifted})
    return found


def _membership(host: Host, view: View) -> Reply:
    server = host.server
    return {
        "key": view.key,
        "size": len(view.members),
        "uptime_s": int(time.monotonic() - server.started_at) if server else 0,
        "peers": [node_id for node_id in view.ids if server is None or node_id != server.node_id],
        "migrations_remaining": sum(view.migrating(member) for member in view.members),
    }


def _evidence(host: Host, stop: Stop, view: View | None, clock: Reply) -> Reply:
    server, lifted_at = host.server, stop.lifted_at
    begun = lifted_at is not None and lifted_at > stop.start_at + FROZEN_AFTER_S
    frozen_at = stop.start_at + FROZEN_AFTER_S if begun and stop.mounts else None
    thawed_at = lifted_at if frozen_at is not None else None
    masters = {
        name: counts(server, name, view)[0] if server is not None and view is not None else None
        for name in stop.namespaces
    }
    quiet = {"flushed": begun, "unchanged": begun, "unchanged_until": lifted_at if begun else None, "tombstones": 0}
    return {
        "run": stop.run,
        "token": stop.token,
        "node_id": server.node_id if server is not None else "",
        "ended_by": stop.ended_by,
        "clocks": [stop.clock, clock],
        "guarded_all": begun,
        "times": {
            "armed": stop.clock["at"],
            "guard_sent": stop.start_at if begun else None,
            "guarded": stop.start_at + GUARDED_AFTER_S if begun else None,
            "settle_started": stop.start_at + SETTLED_AFTER_S if begun else None,
            "flushed": stop.start_at + FLUSHED_AFTER_S if begun else None,
            "frozen": frozen_at,
            "thaw_started": thawed_at,
            "thawed": thawed_at,
            "lift_started": lifted_at,
            "lifted": lifted_at,
        },
        "mounts": {mount: {"frozen": frozen_at, "thawed": thawed_at, "held": begun} for mount in stop.mounts},
        "namespaces": {name: {**quiet, "master_objects": masters[name]} for name in stop.namespaces},
        "cluster": {"before": stop.membership, "after": _membership(host, view) if view is not None else None},
    }
