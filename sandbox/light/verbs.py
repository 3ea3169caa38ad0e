"""The host program's verbs as a light host answers them, with the real exit codes and refusals."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aerokeep_node.refusal import BadParameterError, RefusalError

from sandbox.light import capturing, guarding, looking, serving, staging, transfers
from sandbox.light.host import Host
from sandbox.light.server import Server

if TYPE_CHECKING:
    from sandbox.light.plane import LightPlane

SCHEMA = 1
Parameters = Mapping[str, str]
Reply = dict[str, Any]


def answer(plane: "LightPlane", instance_id: str, verb: str, parameters: Parameters) -> tuple[int, Reply]:
    """→ exit code and reply of one verb."""
    head: Reply = {"schema": SCHEMA, "verb": verb}
    try:
        if verb not in VERBS:
            raise BadParameterError("unknown_verb", f"one of: {', '.join(VERBS)}")
        return 0, {**head, "ok": True, **VERBS[verb](plane, instance_id, parameters)}
    except RefusalError as refusal:
        error = {"code": refusal.code, "detail": refusal.detail[:1000]}
        return refusal.exit_code, {**head, "ok": False, "error": error}


def _survey(plane: "LightPlane", instance_id: str, _: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        return looking.survey(host, plane.view(host))


def _health(plane: "LightPlane", instance_id: str, _: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        return looking.health(host, plane.view(host))


def _stop_writes(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        return guarding.stop_writes(host, parameters, plane.view(host), looking.clock(host))


def _resume_writes(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        return guarding.resume_writes(host, parameters, plane.view(host), looking.clock(host))


def _capture(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        if parameters["Uploads"] == "report":
            return capturing.report(host, parameters["Run"])
    return capturing.upload(host, parameters["Run"], parameters["Uploads"])


def _stop(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        return serving.stop(plane.host(instance_id), parameters["Run"], parameters["Unmount"])


def _stage(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    run, where = parameters["Run"], parameters["Spec"]
    with plane.lock:
        host = plane.host(instance_id)
        staging.check_idle(host)
        if where == staging.BACK:
            return staging.back(host, run)
    order, files = staging.read_order(where)
    with plane.lock:
        return staging.stage(host, run, order, files)


def _start(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        host = plane.host(instance_id)
        return serving.start(host, parameters["Mode"], start_s=plane.start_s, pid=plane.next_pid())


def _open_writes(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    with plane.lock:
        return serving.open_writes(plane.host(instance_id), parameters["Namespaces"])


def _order_job(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    host, everyone = _cluster(plane, instance_id)
    return transfers.order_job(host, parameters["Run"], parameters["Spec"], lambda: plane.view(host), everyone)


def _status(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    host, everyone = _cluster(plane, instance_id)
    return transfers.status(host, parameters["Run"], lambda: plane.view(host), everyone)


def _cancel(plane: "LightPlane", instance_id: str, parameters: Parameters) -> Reply:
    host, everyone = _cluster(plane, instance_id)
    return transfers.cancel(host, parameters["Run"], lambda: plane.view(host), everyone)


def _cluster(plane: "LightPlane", instance_id: str) -> tuple[Host, list[Server]]:
    """A host, and all servers that a client of its server reaches."""
    with plane.lock:
        host = plane.host(instance_id)
        return host, plane.servers(host.server.cluster_name) if host.server is not None else []


VERBS: Mapping[str, Callable[["LightPlane", str, Parameters], Reply]] = {
    "survey": _survey,
    "health": _health,
    "stop-writes": _stop_writes,
    "resume-writes": _resume_writes,
    "capture": _capture,
    "stop": _stop,
    "stage": _stage,
    "start": _start,
    "open-writes": _open_writes,
    "export": _order_job,
    "import": _order_job,
    "status": _status,
    "cancel": _cancel,
}
