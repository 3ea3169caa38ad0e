"""Verb ``resume-writes`` without a run: end whatever write stop lives here, and tell who still rejects writes."""

import os
import time
from typing import Any, Callable, Dict, List, Optional

from aerokeep_node.asd import Asd
from aerokeep_node.barring import bar
from aerokeep_node.host_lock import HOME
from aerokeep_node.info import InfoError, InfoSilenceError
from aerokeep_node.namespaces import NamespaceConfig, guarded_in_conf, list_namespaces, read_config
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import EVIDENCE, REQUEST, RESUME, TOMBSTONE, RunDirectory, holder_of_lease_lock
from aerokeep_node.settings import Lift, NamespaceSettings
from aerokeep_node.tree import Tree
from aerokeep_node.unit_files import FIRST_START_CONF

ALL = "all"
"""Every write stop of any run."""
EVERYTHING = "everything"
"""Also guards that no run of this host has set."""
WHOLE_HOST = (ALL, EVERYTHING)
LIFT_WAIT_S = 10.0
POLL_S = 0.02
CONF, FIRST_START, CONF_UNREADABLE, UNKNOWN = "conf", "first_start", "conf_unreadable", "unknown"
"""Why a namespace rejects writes: its conf says so on purpose, or the conf of a first start does; nobody knows whether
the conf does; or it was set at run time, and not by a run that lives."""
Ending = Callable[[RunDirectory], str]


def resume_all(tree: Tree, parameters: Dict[str, str], end: Ending) -> Dict[str, Any]:
    """End them all, and look at what still rejects writes; never an error.

    Args:
        tree: the host's files.
        parameters: those of the verb.
        end: ends the write stop of one run and says how it stands.

    """
    tombstone = parameters["Tombstone"] == "yes"
    if tombstone:
        bar(tree)  # before looking: a write stop that is armed after the look finds it
    runs = _unended(tree)
    for run in runs:
        # All are told before the first one is waited for.
        run.mark(RESUME)
        if tombstone:
            run.mark(TOMBSTONE)
    states = {run.run: end(run) for run in runs}
    # A process that has written its evidence may hold the lock for an instant more.
    undoing = "undoing" in states.values() or holder_of_lease_lock(tree) not in (None, *states)
    guards: List[Dict[str, Any]] = []
    unread: Optional[str] = "a write stop is still being undone" if undoing else None
    if not undoing:
        try:
            guards = _guards(Asd(tree), lift=parameters["Run"] == EVERYTHING)
        except (InfoError, InfoSilenceError, RefusalError) as error:
            unread = str(error)
    state = "undoing" if undoing else "resumed" if states else "nothing_to_resume"
    return {"state": state, "runs": states, "guards": guards, "unread": unread}


def _unended(tree: Tree) -> List[RunDirectory]:
    runs = [RunDirectory(tree, name) for name in sorted(tree.listdir(HOME))]
    return [run for run in runs if os.path.isdir(run.path) and run.has(REQUEST) and not run.has(EVIDENCE)]


def _guards(asd: Asd, *, lift: bool) -> List[Dict[str, Any]]:
    connection = asd.connect()
    try:
        configs = [read_config(connection, name) for name in list_namespaces(connection)]
    finally:
        connection.close()
    return [_describe(asd, config, lift=lift) for config in configs if config.guarded and config.guard is not None]


def _describe(asd: Asd, config: NamespaceConfig, *, lift: bool) -> Dict[str, Any]:
    assert config.guard is not None  # noqa: S101 - the caller's choice
    setting, guarding = config.guard
    cause = _cause(asd, config)
    lifting = "false" if guarding == "true" else "true"
    # What a conf says on purpose, and above all the first start of a restore, is nobody's accident.
    lifted = lift and cause == UNKNOWN and _lift(asd, config.name, setting, lifting)
    return {"namespace": config.name, "setting": setting, "value": guarding, "cause": cause, "lifted": lifted}


def _cause(asd: Asd, config: NamespaceConfig) -> str:
    if os.path.basename(asd.started_with or "") == FIRST_START_CONF:
        return FIRST_START
    if not asd.conf_readable:
        return CONF_UNREADABLE
    return CONF if guarded_in_conf(config, asd.namespace_conf(config.name)) else UNKNOWN


def _lift(asd: Asd, name: str, setting: str, value: str) -> bool:
    """Lift until it stays lifted, or time is up."""
    settings = NamespaceSettings(asd.route, name, {setting: value})
    settings.changed = True
    lift = Lift([settings])
    until_s = time.monotonic() + LIFT_WAIT_S
    try:
        while not lift.step(time.time()):
            if time.monotonic() >= until_s:
                return False
            time.sleep(POLL_S)
        return True
    finally:
        settings.close()
