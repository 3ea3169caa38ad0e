"""How large an export will be, as asbackup finds out from a sample."""

from typing import Any, Dict

from aerokeep_node.transfer.backing_up import Backup
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import ExportPart, Part
from aerokeep_node.transfer.tool_output import BackupReport
from aerokeep_node.transfer.worker import PartError, Worker


def estimate(worker: Worker, part: Part) -> Dict[str, Any]:
    """Estimate the size of a record; nothing is written anywhere."""
    assert isinstance(part, ExportPart)  # noqa: S101 - the order's kind says so
    report = BackupReport()
    with machine_file(worker, part.name, report.heed_machine) as machine:
        backup = Backup(worker, part, ["-e", "-m", machine], report)
        backup.wait()
        backup.hear_out()
    if report.record_bytes is None:
        raise PartError("summary_missing", "asbackup ended with 0, but gave no estimate")
    return {"percent": 100, "remaining_s": 0, "estimate": {"record_bytes": report.record_bytes}}
