"""Verbs ``stop``, ``start`` and ``open-writes`` of a light host: the server's life."""

from typing import Any

from aerokeep_node.conf import parse_conf
from aerokeep_node.conf_text import GUARD, cold_start_empty
from aerokeep_node.refusal import NotNowError, RefusalError

from sandbox.light import server as asd
from sandbox.light.host import CONF, DROP_IN, FIRST_START_CONF, Host

NONE = "none"
LOG_LINES = 5


def stop(host: Host, run: str, unmount: str) -> dict[str, Any]:
    """Mask the unit, end the server cleanly, unmount what is named."""
    host.mask()
    clean = host.server is not None
    if host.server is not None:
        host.server.stop()
    points = [] if unmount == NONE else unmount.split(",")
    for point in points:
        if (volume := host.mounts.pop(point, None)) is not None:
            host.unmounted.setdefault(run, {}).setdefault(point, volume.volume_id)
    return {"state": "stopped", "masked": True, "clean": clean or None, "unmounted": points, "detail": ""}


def start(host: Host, mode: str, *, start_s: float, pid: int) -> dict[str, Any]:
    """Unmask and start; a server that runs already is left alone if it is the right one."""
    first = mode == "first"
    if first and DROP_IN not in host.files:
        raise RefusalError("not_staged", "there is no drop-in with first-start settings: stage the node first")
    if not first and DROP_IN in host.files:
        raise RefusalError("first_start_staged", "the unit still names the first-start conf: open writes first")
    host.unmask()
    if host.server is None:
        launch(host, start_s=start_s, pid=pid)
    server = host.server
    if server is None:
        host.mask()
        raise RefusalError("asd_failed", "; ".join(host.log[-LOG_LINES:]))
    if first and not server.first_start:
        server.stop()
        host.mask()
        raise RefusalError("first_start_ignored", f"the server runs on {server.conf_path}: stopped and masked again")
    return {
        "state": "ready" if server.ready else "starting",
        "pid": server.pid,
        "conf": server.conf_path,
        "cold_start": server.first_start,
    }


def launch(host: Host, *, start_s: float, pid: int) -> None:
    """Start the unit, if it may be started; what the server says stands in the host's log."""
    if host.masked or host.server is not None:
        return
    try:
        asd.start(host, start_s=start_s, pid=pid)
    except asd.StartError as error:
        host.log.append(str(error))


def open_writes(host: Host, namespaces: str) -> dict[str, Any]:
    """Remove the first-start settings, and set each guard to what the conf says."""
    server = host.server
    if server is None or not server.ready:
        raise NotNowError("asd_not_running", "no server answers on this host")
    conf = parse_conf(host.read(CONF) or "")
    if cold_start_empty(conf):
        raise RefusalError("cold_start_empty_on_disk", f"{CONF} says cold-start-empty true: take it out")
    host.remove(DROP_IN)
    host.remove(FIRST_START_CONF)
    opened = {}
    for name in namespaces.split(","):
        context, namespace = conf.child("namespace", name), server.namespaces.get(name)
        if context is None or namespace is None:
            raise RefusalError("namespace_unknown", f"namespace {name} is not on this host")
        on_disk = context.get(GUARD) or "false"
        namespace.guarded = on_disk == "true"
        opened[name] = {"running": on_disk, "on_disk": on_disk}
    return {"open": True, "namespaces": opened}
