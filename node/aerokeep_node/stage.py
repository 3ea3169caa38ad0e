"""Verb ``stage``: check devices, put fstab, SMD, conf and first-start settings in place; or put the former back."""

from typing import Any, Dict

from aerokeep_node.asd import asd_processes
from aerokeep_node.fetching import fetch_order
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import RunDirectory
from aerokeep_node.stage_back import put_all_back
from aerokeep_node.stage_order import parse_order
from aerokeep_node.staging import Staging
from aerokeep_node.tree import Tree
from aerokeep_node.unit import Unit

BACK = "back"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Do everything, or refuse; called again, it finds what is done already. Nothing is erased, and nothing started."""
    unit = Unit(tree)
    unit.require()
    _judge_stopped(tree, unit)
    directory = RunDirectory(tree, parameters["Run"])
    directory.create()
    if parameters["Spec"] == BACK:
        return put_all_back(directory, unit)
    result = Staging(directory, unit, parse_order(fetch_order(parameters["Spec"]))).do()
    _judge_stopped(tree, unit)
    return result


def _judge_stopped(tree: Tree, unit: Unit) -> None:
    if asd_processes(tree):
        raise RefusalError("asd_running", "asd runs on this host: stop it first")
    if not unit.masked():
        raise RefusalError("not_masked", "the unit is not masked: something could start the server meanwhile")
