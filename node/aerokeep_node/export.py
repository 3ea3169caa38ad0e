"""Verb ``export``: start a job that estimates or exports namespaces into the vault, or tell how far it is."""

from typing import Any, Dict

from aerokeep_node.transfer import export_job
from aerokeep_node.transfer.begin import begin
from aerokeep_node.transfer.order import EXPORT_KINDS
from aerokeep_node.tree import Tree


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Begin, or find begun."""
    return begin(tree, parameters, EXPORT_KINDS, export_job.NAME)
