"""An export through the host's disks: asbackup writes many files at once, which then go into the vault side by side."""

import os
from typing import Any, Dict, List, Tuple

from aerokeep_node.transfer.backing_up import Backup
from aerokeep_node.transfer.export_stream import exported
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import SUFFIXES, ExportPart, Part
from aerokeep_node.transfer.spool import make_spool
from aerokeep_node.transfer.tool_output import BackupReport
from aerokeep_node.transfer.upload import Upload
from aerokeep_node.transfer.worker import PartError, Worker

ENDING = ".asb"
UPLOAD_TRIES = 3


def export_directory(worker: Worker, part: Part) -> Dict[str, Any]:
    """Export a part as files of a limited size."""
    assert isinstance(part, ExportPart)  # noqa: S101 - the order's kind says so
    order = worker.order
    report = BackupReport()
    spool = make_spool(worker.directory.tree, order, part.name)
    with machine_file(worker, part.name, report.heed_machine) as machine:
        where = ["-d", spool, "-F", str(order.file_mib), "-w", str(order.parallel), "-m", machine]
        backup = Backup(worker, part, where, report)
        backup.wait()
        summary = backup.summary()
    paths = sorted(os.path.join(spool, name) for name in os.listdir(spool) if name.endswith(ENDING))
    if not paths:
        raise PartError("tool_failed", "asbackup ended with 0 and left no file")
    return exported(worker, part, _Uploads(worker, part, paths).do(), summary)


class _Uploads:
    """Some at a time; one that fails is tried again, and one that is done is never repeated."""

    def __init__(self, worker: Worker, part: ExportPart, paths: List[str]) -> None:
        self._worker = worker
        self._part = part
        self._paths = paths
        self._waiting: List[Tuple[int, int]] = [(index, 1) for index in range(len(paths))]
        self._running: Dict[int, Tuple[int, Upload]] = {}
        self._done: Dict[int, Dict[str, Any]] = {}

    def do(self) -> List[Dict[str, Any]]:
        """Upload all of it; each file goes from the disk when it is in the vault."""
        while len(self._done) < len(self._paths):
            while self._waiting and len(self._running) < self._worker.order.parallel:
                self._begin(*self._waiting.pop(0))
            self._worker.plumbing.turn()
            for index in list(self._running):
                self._look(index)
            size = sum(file["size"] for file in self._done.values())
            self._worker.report(percent=99, rate=0, files=len(self._done), bytes=size)
        return [self._done[index] for index in range(len(self._paths))]

    def _begin(self, index: int, attempt: int) -> None:
        order = self._worker.order
        key = order.key_of(self._part.name, f".{index + 1:05d}{SUFFIXES[order.compression]}")
        source = os.open(self._paths[index], os.O_RDONLY | os.O_CLOEXEC)
        self._running[index] = (attempt, Upload(self._worker, key, source=source, compressor=order.compressor))

    def _look(self, index: int) -> None:
        attempt, upload = self._running[index]
        try:
            if upload.is_read():
                self._done[index] = dict(upload.finish(), compressed=self._worker.order.compression)
                os.unlink(self._paths[index])
                del self._running[index]
        except PartError:
            if attempt == UPLOAD_TRIES:
                raise
            upload.give_up()
            del self._running[index]
            self._waiting.append((index, attempt + 1))
