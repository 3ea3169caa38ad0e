"""Internal verb ``import-job``: the detached process that does what an order of ``import`` asks for."""

from aerokeep_node.transfer.job import run_job
from aerokeep_node.tree import Tree

NAME = "import-job"


def run_import_job(tree: Tree, run: str) -> int:
    """Live the job."""
    return run_job(tree, run, {})
