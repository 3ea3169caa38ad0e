"""Verb ``stop-writes``: judge whether a write stop may be armed here, and arm it."""

import time
from typing import Any, Dict, List

from aerokeep_node import detach
from aerokeep_node.asd import Asd, describe_asd
from aerokeep_node.barring import LONGEST_LEAD_S, barred_for_s, why_barred
from aerokeep_node.clock import ClockReading, read_clock
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, refuse
from aerokeep_node.namespaces import FLUSH_SETTING, NamespaceConfig, guarded_in_conf, list_namespaces, read_config
from aerokeep_node.refusal import BadParameterError, HeldError, NotNowError, RefusalError
from aerokeep_node.resident import end_abandoned
from aerokeep_node.run_directory import (
    ARMED,
    EVIDENCE,
    LOG,
    REFUSED,
    REQUEST,
    TOMBSTONE,
    RunDirectory,
    abandoned_runs,
    holder_of_lease_lock,
    prune_old_runs,
)
from aerokeep_node.storage import Storage
from aerokeep_node.tree import Tree

LONGEST_LEASE_S = 60.0
ARM_WAIT_S = 20.0
POLL_S = 0.02
NO_FREEZE = "none"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Return as soon as the resident is armed; it does the rest by itself."""
    directory = RunDirectory(tree, parameters["Run"])
    is_over = directory.has(TOMBSTONE) or directory.has(EVIDENCE)
    if not is_over and (directory.read(REQUEST) or {}).get("token") == parameters["Token"]:
        # SendCommand has no ClientToken: a lost answer makes a second command of the same stop, not a second stop.
        return _wait_until_armed(directory)
    start_at, end_at = float(parameters["StartAt"]), float(parameters["EndAt"])
    judge_window(start_at, end_at, read_clock())
    _judge_run(directory)
    asd = Asd(tree)
    connection = asd.connect()
    try:
        names = sorted(set(parameters["Namespaces"].split(",")))
        configs = [_judge_namespace(name, asd, connection) for name in _known(names, connection)]
        described = describe_asd(asd)
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()
    request = {
        "token": parameters["Token"],
        "let_go": parameters["LetGo"],
        "start_at": start_at,
        "end_at": end_at,
        "route": asd.route.as_json(),
        "node_id": described["node_id"],
        "work_directory": described["work_directory"],
        "conf_path": asd.conf_path,
        "former": {config.name: _former(config) for config in configs},
        "guards": {config.name: config.changes for config in configs},
    }
    freeze = [] if parameters["Freeze"] == NO_FREEZE else sorted(set(parameters["Freeze"].split(",")))
    request.update(_judge_freeze(freeze, configs, Storage(tree)))
    return _arm(directory, request)


def judge_window(start_at: float, end_at: float, clock: ClockReading) -> None:
    """Refuse a window that lies in the past, too far ahead, or is too long, by true time as this host knows it."""
    true_now = clock.at - clock.offset_s
    if end_at <= start_at:
        raise BadParameterError("bad_parameter", "EndAt must lie after StartAt")
    if end_at - start_at > LONGEST_LEASE_S:
        raise RefusalError("lease_too_long", f"{end_at - start_at:.3f} s, {LONGEST_LEASE_S:.0f} s allowed")
    if start_at - true_now > LONGEST_LEAD_S:
        raise RefusalError("too_far", f"T0 is {start_at - true_now:.1f} s ahead, {LONGEST_LEAD_S:.0f} s allowed")
    if true_now >= start_at:
        raise RefusalError("too_late", f"T0 was {true_now - start_at:.3f} s ago")


def _judge_run(directory: RunDirectory) -> None:
    if directory.has(TOMBSTONE):
        raise RefusalError("tombstone", f"run {directory.run} was called off")
    if directory.has(EVIDENCE) or directory.has(REFUSED):
        raise RefusalError("run_is_over", f"run {directory.run} had its try; a new one needs a run of its own")
    left_s = barred_for_s(directory.tree)
    if left_s is not None:
        raise NotNowError("barred", why_barred(left_s))
    holder = holder_of_lease_lock(directory.tree)
    if holder is not None or directory.has(REQUEST):
        detail = f"the write stop of run {holder or directory.run} lives on this host"
        raise HeldError("guard_held", detail)
    for abandoned in abandoned_runs(directory.tree):
        end_abandoned(RunDirectory(directory.tree, abandoned))
    prune_old_runs(directory.tree, time.time())


def _known(names: List[str], connection: InfoConnection) -> List[str]:
    existing = list_namespaces(connection)
    unknown = [name for name in names if name not in existing]
    if unknown:
        detail = "{} not among this server's {}".format(", ".join(unknown), ", ".join(existing))
        raise RefusalError("namespace_unknown", detail)
    return names


def _judge_namespace(name: str, asd: Asd, connection: InfoConnection) -> NamespaceConfig:
    config = read_config(connection, name)
    if config.guard is None:
        raise RefusalError("guard_unknown", f"this server can't reject writes of namespace {name}")
    if config.guarded and not guarded_in_conf(config, asd.namespace_conf(name)):
        detail = f"writes to {name} are rejected at run time but not in the conf: lift that first"
        raise RefusalError("guard_already_set", detail)
    return config


def _former(config: NamespaceConfig) -> Dict[str, str]:
    changed = [name for name, _ in config.changes]
    values = {name: config.get(name) for name in [*changed, FLUSH_SETTING]}
    return {name: value for name, value in values.items() if value is not None}


def _judge_freeze(freeze: List[str], configs: List[NamespaceConfig], storage: Storage) -> Dict[str, Any]:
    """Sort the namespaces' files into those below a freeze and those to be written back; refuse what is unsafe."""
    files_of: Dict[str, List[str]] = {mount_point: [] for mount_point in freeze}
    to_sync = []
    saved = [path for config in configs for path in config.persistence_set]
    files = [path.path for path in saved if path.kind == "file"]
    for path in files:
        mount = storage.mount_of(path)
        if mount is not None and mount.mount_point in files_of:
            files_of[mount.mount_point].append(path)
        else:
            to_sync.append(path)
    for mount_point in freeze:
        mount = storage.mount_at(mount_point)
        if mount is None:
            raise RefusalError("not_freezable", f"nothing is mounted at {mount_point}")
        reason = storage.why_not_freezable(mount)
        if reason is not None:
            raise RefusalError("not_freezable", f"{mount_point}: {reason}")
        if not files_of[mount_point]:
            raise RefusalError("not_freezable", f"{mount_point} holds no file of these namespaces")
    devices = [path.path for path in saved if path.kind != "file"]
    return {"freeze": freeze, "files_of": files_of, "files": files, "sync": to_sync, "devices": devices}


def _arm(directory: RunDirectory, request: Dict[str, Any]) -> Dict[str, Any]:
    directory.create()
    directory.write(REQUEST, request)
    detach.start_resident(directory.run, request["token"], directory.file(LOG), directory.tree)
    return _wait_until_armed(directory)


def _wait_until_armed(directory: RunDirectory) -> Dict[str, Any]:
    until_s = time.monotonic() + ARM_WAIT_S
    while time.monotonic() < until_s:
        armed = directory.read(ARMED)
        if armed is not None:
            return armed
        refused = directory.read(REFUSED)
        if refused is not None:
            raise _refusal(refused)
        time.sleep(POLL_S)
    directory.mark(TOMBSTONE)  # should it still come to life, it must not act
    raise NotNowError("not_armed", f"the resident did not come up within {ARM_WAIT_S:.0f} s")


def _refusal(refused: Dict[str, Any]) -> RefusalError:
    kinds = {kind.exit_code: kind for kind in (RefusalError, HeldError, NotNowError)}
    return kinds.get(refused["exit_code"], RefusalError)(refused["code"], refused["detail"])
