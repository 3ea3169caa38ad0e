"""Verbs ``survey`` and ``health`` of a light host: what it says of itself, in the shape of the real host program."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.formats.smd import SUFFIX, BadSmdError, parse_smd
from aerokeep_node.headers import header_json
from aerokeep_node.refusal import NotNowError

from sandbox.light.cluster import View, counts
from sandbox.light.host import CONF, DROP_IN, Host
from sandbox.light.server import BUILD, Namespace, Server, StoragePath, node_id_of, paths_of, work_directory_of

AGENT_VERSION = "3.3.2746.0"
PYTHON = "3.11.0"
Reply = dict[str, Any]


def survey(host: Host, view: View | None) -> Reply:
    """Look at everything; without a running server the conf tells what there is."""
    problems = [] if view else [_problem("asd_not_running", "no process named asd on this host")]
    text = host.read(CONF)
    if text is None:
        problems.append(_problem("conf_unreadable", f"{CONF} can't be read"))
    server = host.server if view else None
    namespaces = list(server.namespaces.values()) if server else _in_conf(parse_conf(text or ""))
    return {
        "host": {
            "hostname": "ip-" + host.private_ip.replace(".", "-"),
            "python": PYTHON,
            "agent_version": AGENT_VERSION,
            "systemd": True,
            "clock": clock(host),
        },
        "asd": {**_asd(host, view), "unit": _unit(host)},
        "namespaces": [_namespace(host, namespace, view) for namespace in namespaces],
        "problems": problems,
    }


def clock(host: Host) -> Reply:
    """What the host knows of its own clock."""
    known = host.clock
    return {
        "source": "chronyc",
        "synchronised": known.synchronised,
        "offset_s": known.offset_s if known.reported_offset_s is None else known.reported_offset_s,
        "error_s": known.error_s,
        "at": host.now,
    }


def _problem(code: str, detail: str) -> Reply:
    return {"code": code, "detail": detail, "namespace": None, "path": None}


def _in_conf(conf: Context) -> Sequence[Namespace]:
    contexts = conf.named("namespace")
    return [Namespace(context.words[1], context, paths_of(context), guarded=False) for context in contexts]


def _asd(host: Host, view: View | None) -> Reply:
    server = host.server if view else None
    conf = server.conf if server else parse_conf(host.read(CONF) or "")
    return {
        "running": server is not None,
        "build": BUILD if server else "",
        "edition": "community" if server else "",
        "node_id": node_id_of(conf, host) if server else "",
        "cluster_name": server.cluster_name if server else None,
        "cluster_size": len(view.members) if view else 0,
        "cluster_key": view.key if view else "",
        "uptime_s": _uptime_s(server) if server else 0,
        "conf_path": server.conf_path if server else CONF,
        "work_directory": work_directory_of(conf),
        "address": host.private_ip,
        "port": 3000,
        "peers": _peers(server, view) if server and view else [],
        "migrations_remaining": _remaining(server, view) if server and view else 0,
        "security_enabled": False,
        "logs_in": False,
        "tls": False,
    }


def _unit(host: Host) -> Reply:
    return {
        "active": "active" if host.server else "inactive",
        "masked": host.masked,
        "first_start": DROP_IN in host.files,
        "enabled": not host.masked,
    }


def _uptime_s(server: Server) -> int:
    return int(time.monotonic() - server.started_at)


def _peers(server: Server, view: View) -> list[str]:
    return sorted(member.node_id for member in view.members if member is not server)


def _remaining(server: Server, view: View) -> int:
    return 1 if view.migrating(server) else 0


def _namespace(host: Host, namespace: Namespace, view: View | None) -> Reply:
    server = host.server if view else None
    masters, proles = counts(server, namespace.name, view) if server and view else (0, 0)
    conf = namespace.conf
    files = any(path.role == "file" for path in namespace.paths)
    return {
        "name": namespace.name,
        "storage": "file" if files else "device",
        "persisted": bool(namespace.paths),
        "replication_factor": namespace.replication_factor,
        "rack_id": int(conf.get("rack-id") or 0),
        "strong_consistency": False,
        "commit_to_device": False,
        "flush_max_ms": 1000,
        "reject_non_xdr_writes": namespace.guarded,
        "reject_xdr_writes": False,
        "conf_reject_non_xdr_writes": conf.get("reject-non-xdr-writes") == "true",
        "xdr_client_writes": 0,
        "objects": masters + proles,
        "master_objects": masters,
        "paths": [_path(host, path) for path in namespace.paths],
    }


def _path(host: Host, path: StoragePath) -> Reply:
    place = host.place(path.path)
    extent = place.extent if place else None
    mount_point = place.mount_point if place else None
    raw = place is not None and place.file is None
    store = place is not None and place.volume.volume_id.startswith("store-")
    problem = None
    if place is None:
        problem = {"code": "no_such_device", "detail": f"{path.path}: No such file or directory"}
    return {
        "path": path.path,
        "role": path.role,
        "index": path.index,
        "mount_point": mount_point,
        "freezable": mount_point not in (None, "/"),
        "freeze_reason": "a raw device: guarded, not frozen" if raw else None,
        "fs_type": None if raw or place is None else "ext4",
        "mount_options": None if raw or place is None else "rw,relatime",
        "device": host.device_of(place.volume) if place else path.path,
        "size_bytes": place.volume.size_bytes if place else None,
        "volume_id": None if place is None or store else place.volume.volume_id,
        "instance_store": store,
        "problem": problem,
        "header": header_json(extent.header) if extent else None,
        "header_problem": None if extent else "blank: all zero: the server would initialise this device as a fresh one",
    }


# -- health


def health(host: Host, view: View | None) -> Reply:
    """Ask the server how it is.

    Raises:
        NotNowError: it does not run, or does not answer yet.

    """
    server = host.server
    if server is None:
        raise NotNowError("asd_not_running", "no process named asd on this host")
    if view is None:
        raise NotNowError("asd_silent", "the server does not answer yet")
    remaining = _remaining(server, view)
    alone = bool(view.duplicates)
    return {
        "asd": _asd(host, view),
        "node_id": server.node_id,
        "peers": _peers(server, view),
        "uptime_s": _uptime_s(server),
        "cluster": {
            "key": view.key,
            "size": len(view.members),
            "integrity": not alone,
            "is_member": True,
            "duplicate_nodes": view.duplicates,
            "principal": view.principal,
            "clock_skew_ms": 0,
            "migrate_allowed": True,
            "migrations_remaining": sum(_remaining(member, view) for member in view.members),
            "stable": view.key if not remaining else "ERROR::unstable-cluster",
        },
        "sindexes": _sindexes(host, server),
        "udfs": sorted(key for key in _live(host, server, "UDF")),
        "namespaces": [_healthy(server, namespace, view) for namespace in server.namespaces.values()],
        "write_stop": None,
    }


def _healthy(server: Server, namespace: Namespace, view: View) -> Reply:
    masters, proles = counts(server, namespace.name, view)
    return {
        "name": namespace.name,
        "stop_writes": namespace.full,
        "reject_non_xdr_writes": namespace.guarded,
        "objects": masters + proles,
        "master_objects": masters,
        "prole_objects": proles,
        "tombstones": server.data(namespace.name).tombstones,
        "unavailable_partitions": 0,
        "dead_partitions": 0,
        "migrate_partitions_remaining": _remaining(server, view),
        "clock_skew_stop_writes": False,
        "unreplicated_records": 0,
        "read_errors": 0,
        "truncate_lut": 0,
        "evict_void_time": 0,
        "expired_objects": 0,
        "evicted_objects": 0,
        "non_expirable_objects": masters + proles,
        "data_avail_pct": 99,
    }


def _live(host: Host, server: Server, module: str) -> Mapping[str, str]:
    """The keys of an SMD module that have a value; an invalid file is an empty one, as the real server takes it."""
    content = host.files.get(f"{work_directory_of(server.conf)}/smd/{module}{SUFFIX}")
    try:
        items = parse_smd(content).items if content is not None else ()
    except BadSmdError:
        items = ()
    return {item.key: item.value for item in items if item.value is not None}


def _sindexes(host: Host, server: Server) -> list[Reply]:
    """``<namespace>|<set>|<path>|<index type>|<key type>`` → name, as the real server keeps them."""
    found = []
    for key, name in sorted(_live(host, server, "sindex").items()):
        namespace, set_name = [*key.split("|"), ""][:2]
        found.append({"namespace": namespace, "set": set_name, "name": name})
    return found
