"""Internal verb ``export-job``: the detached process that does what an order of ``export`` asks for."""

from typing import Any, Dict

from aerokeep_node.transfer.estimate import estimate
from aerokeep_node.transfer.export_directory import export_directory
from aerokeep_node.transfer.export_stream import export_stream
from aerokeep_node.transfer.job import run_job
from aerokeep_node.transfer.order import Part
from aerokeep_node.transfer.worker import Worker
from aerokeep_node.tree import Tree

NAME = "export-job"


def _export(worker: Worker, part: Part) -> Dict[str, Any]:
    return (export_stream if worker.order.mode == "stream" else export_directory)(worker, part)


def run_export_job(tree: Tree, run: str) -> int:
    """Live the job."""
    return run_job(tree, run, {"estimate": estimate, "export": _export})
