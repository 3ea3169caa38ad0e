"""An export that never touches the host's disks: asbackup through a compressor into the vault."""

import os
from typing import Any, Dict

from aerokeep_node.transfer.backing_up import Backup
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import SUFFIXES, ExportPart, Part
from aerokeep_node.transfer.tool_output import BackupReport
from aerokeep_node.transfer.upload import Upload, upload_listing
from aerokeep_node.transfer.worker import Worker


def export_stream(worker: Worker, part: Part) -> Dict[str, Any]:
    """Export a part as one object, which comes into being only when asbackup has said that it is whole."""
    assert isinstance(part, ExportPart)  # noqa: S101 - the order's kind says so
    order = worker.order
    report = BackupReport()
    with machine_file(worker, part.name, report.heed_machine) as machine:
        text, text_in = os.pipe()
        where = ["-o", "-", "-w", str(order.parallel), "-m", machine]
        backup = Backup(worker, part, where, report, text_in)
        os.close(text_in)
        key = order.key_of(part.name, SUFFIXES[order.compression])
        upload = Upload(worker, key, source=text, compressor=order.compressor, expected_bytes=part.expected_bytes)
        while backup.runs or not upload.is_read():
            worker.plumbing.turn()
            upload.check()
            backup.judge()
            backup.tell_progress(bytes=upload.pump.size)
        backup.judge()
        summary = backup.summary()
    files = [dict(upload.finish(), compressed=order.compression)]
    return exported(worker, part, files, summary)


def exported(
    worker: Worker, part: ExportPart, files: "list[Dict[str, Any]]", summary: Dict[str, int]
) -> Dict[str, Any]:
    """Upload the listing of a part, and give the progress of one that is done."""
    return {
        "percent": 100,
        "remaining_s": 0,
        "files": len(files),
        "bytes": sum(file["size"] for file in files),
        "listing": upload_listing(worker, part.name, files),
        "summary": summary,
    }
