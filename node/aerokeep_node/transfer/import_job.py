"""Internal verb ``import-job``: the detached process that does what an order of ``import`` asks for."""

from typing import Any, Dict

from aerokeep_node.transfer.import_directory import import_directory
from aerokeep_node.transfer.import_stream import import_stream
from aerokeep_node.transfer.job import run_job
from aerokeep_node.transfer.order import Part
from aerokeep_node.transfer.verify import verify
from aerokeep_node.transfer.worker import Worker
from aerokeep_node.tree import Tree

NAME = "import-job"


def _import(worker: Worker, part: Part) -> Dict[str, Any]:
    return (import_stream if worker.order.mode == "stream" else import_directory)(worker, part)


def run_import_job(tree: Tree, run: str) -> int:
    """Live the job."""
    return run_job(tree, run, {"import": _import, "verify": verify})
