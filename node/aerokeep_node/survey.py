"""Verb ``survey``: what this host is, what its database says, and which EBS volume each storage path lies on."""

import os
import platform
import re
import shutil
import socket
import subprocess
from typing import Any, Dict, List, Optional

from aerokeep_node.asd import Asd, describe_asd
from aerokeep_node.clock import read_clock
from aerokeep_node.conf import storage_paths
from aerokeep_node.conf_namespaces import configured_namespaces
from aerokeep_node.info import InfoError, InfoSilenceError, refuse
from aerokeep_node.namespaces import (
    FLUSH_SETTING,
    NamespaceConfig,
    count_of,
    guarded_in_conf,
    list_namespaces,
    read_config,
)
from aerokeep_node.refusal import RefusalError
from aerokeep_node.storage import Storage
from aerokeep_node.tree import Tree
from aerokeep_node.unit import Unit

AGENT_PROGRAMS = ("amazon-ssm-agent", "/usr/bin/amazon-ssm-agent", "/snap/amazon-ssm-agent/current/amazon-ssm-agent")
AGENT_TIMEOUT_S = 5.0


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Look only; nothing on the host or in the database is changed."""
    del parameters
    asd = Asd(tree)
    described = describe_asd(asd)
    described["unit"] = Unit(tree).describe()
    problems = _server_problems(asd, described)
    storage = Storage(tree)
    namespaces: List[Dict[str, Any]] = []
    if asd.pid is None:
        namespaces = [_describe(config, {}, asd, storage, problems) for config in configured_namespaces(asd.conf)]
    elif described["build"]:
        namespaces = _ask_namespaces(asd, storage, problems)
    return {"host": _host(tree), "asd": described, "namespaces": namespaces, "problems": problems}


def _ask_namespaces(asd: Asd, storage: Storage, problems: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    connection = asd.connect()
    try:
        return [
            _describe(read_config(connection, name), connection.ask_pairs("namespace/" + name), asd, storage, problems)
            for name in list_namespaces(connection)
        ]
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()


def _host(tree: Tree) -> Dict[str, Any]:
    return {
        "hostname": socket.gethostname(),
        "python": platform.python_version(),
        "agent_version": _agent_version(),
        "systemd": os.path.isdir(tree.path("run/systemd/system")),
        "clock": read_clock().as_json(),
    }


def _agent_version() -> Optional[str]:
    program = next((found for found in map(shutil.which, AGENT_PROGRAMS) if found), None)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=AGENT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+(?:\.\d+){2,3})", done.stdout.decode("ascii", "replace"))
    return found.group(1) if found else None


def _problem(code: str, detail: str, namespace: Optional[str] = None, path: Optional[str] = None) -> Dict[str, Any]:
    return {"code": code, "detail": detail, "namespace": namespace, "path": path}


def _server_problems(asd: Asd, described: Dict[str, Any]) -> List[Dict[str, Any]]:
    problems = []
    if asd.pid is None:
        problems.append(_problem("asd_not_running", "no process named asd on this host"))
    elif not described["build"]:
        try:
            asd.connect().close()
        except RefusalError as refusal:
            problems.append(_problem(refusal.code, refusal.detail))
    if not asd.conf_readable:
        problems.append(_problem("conf_unreadable", f"{asd.conf_path} can't be read"))
    return problems


def _describe(
    config: NamespaceConfig, statistics: Dict[str, str], asd: Asd, storage: Storage, problems: List[Dict[str, Any]]
) -> Dict[str, Any]:
    name = config.name
    paths = storage.describe(config)
    conf = asd.namespace_conf(name)
    conf_guarded = guarded_in_conf(config, conf)
    problems.extend(_namespace_problems(config, conf_guarded=conf_guarded))
    problems.extend(
        _problem(path["problem"]["code"], path["problem"]["detail"], name, path["path"])
        for path in paths
        if path["problem"]
    )
    if conf is not None:
        problems.extend(_conf_differences(config, storage_paths(conf)))
    return {
        "name": name,
        "storage": config.storage,
        "persisted": bool(config.paths),
        "rack_id": config.number("rack-id") or 0,
        "replication_factor": config.number("replication-factor") or 1,
        "strong_consistency": config.flag("strong-consistency"),
        "commit_to_device": config.flag("commit-to-device"),
        "flush_max_ms": config.number(FLUSH_SETTING),
        "reject_non_xdr_writes": config.guarded,
        "reject_xdr_writes": config.flag("reject-xdr-writes") or config.get("allow-xdr-writes") == "false",
        "conf_reject_non_xdr_writes": conf_guarded,
        "xdr_client_writes": (count_of(statistics, "xdr_client_write_success") or 0)
        + (count_of(statistics, "xdr_client_delete_success") or 0),
        "objects": count_of(statistics, "objects") or 0,
        "master_objects": count_of(statistics, "master_objects") or 0,
        "paths": paths,
    }


def _namespace_problems(config: NamespaceConfig, *, conf_guarded: bool) -> List[Dict[str, Any]]:
    problems = []
    if not config.paths:
        detail = f"namespace {config.name} lives in memory only: list it as not_saved, or give it storage"
        problems.append(_problem("memory_only", detail, config.name))
    if config.guard is None:
        problems.append(_problem("guard_unknown", "this server can't reject writes of a namespace", config.name))
    if config.guarded and not conf_guarded:
        detail = f"writes to {config.name} are rejected at run time but not in the conf: lift that first"
        problems.append(_problem("guard_already_set", detail, config.name))
    if config.engine == "pmem":
        problems.append(_problem("pmem", "persistent memory is no EBS volume", config.name))
    return problems


def _conf_differences(config: NamespaceConfig, in_conf: List[Any]) -> List[Dict[str, Any]]:
    """Compare storage: the server's word counts, but a conf edited since its start makes the next start another one."""
    at_run_time = sorted(path.path for path in config.paths)
    written = sorted(word for words in in_conf for word in words)
    if at_run_time == written:
        return []
    detail = f"the conf says {written}, the server uses {at_run_time}"
    return [_problem("conf_differs", detail[:300], config.name)]
