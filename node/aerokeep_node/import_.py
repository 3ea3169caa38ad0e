"""Verb ``import``: start a job that imports an export from the vault or verifies one, or tell how far it is."""

from typing import Any, Dict

from aerokeep_node.transfer import import_job
from aerokeep_node.transfer.begin import begin
from aerokeep_node.transfer.order import IMPORT_KINDS
from aerokeep_node.tree import Tree


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Begin, or find begun."""
    return begin(tree, parameters, IMPORT_KINDS, import_job.NAME)
