"""A sample of an export, compared record by record with what the server holds now."""

import os
from typing import Dict

from aerokeep_node import detach
from aerokeep_node.transfer.backing_up import Backup
from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import ExportPart, ImportPart
from aerokeep_node.transfer.parse_export import HASH_BYTES, PARSE, SAMPLE_FILE_VARIABLE, SAMPLE_VARIABLE
from aerokeep_node.transfer.restoring import Restore
from aerokeep_node.transfer.tool_output import BackupReport, RestoreReport
from aerokeep_node.transfer.vault import tool_environment
from aerokeep_node.transfer.worker import Worker

_DIGEST_BYTES = 20


class Sample:
    """Notes of the sampled partitions, as they stand in the export and on the server."""

    def __init__(self, worker: Worker, part: ImportPart) -> None:
        self._worker = worker
        self._part = part
        self._partitions = ",".join(map(str, part.sampled(worker.order.sample)))
        stem = worker.directory.file(f"{part.name}.{worker.order.token}")
        self._exported, self._present = stem + ".exported", stem + ".present"
        for path in (self._exported, self._present):
            open(path, "wb").close()

    @property
    def variables(self) -> Dict[str, str]:
        """What lets the parser of an export note its sample."""
        return {SAMPLE_VARIABLE: self._partitions, SAMPLE_FILE_VARIABLE: self._exported}

    def compare(self) -> Dict[str, int]:
        """Back the sampled partitions up now, and compare; a difference may be what clients wrote meanwhile.

        Raises:
            PartError: what the backup fails with.

        """
        self._look_now()
        exported, present = _read(self._exported), _read(self._present)
        found = {
            "records": len(exported),
            "missing": sum(digest not in present for digest in exported),
            "added": sum(digest not in exported for digest in present),
            "changed": sum(present.get(digest, noted) != noted for digest, noted in exported.items()),
        }
        for path in (self._exported, self._present):
            os.unlink(path)
        self._worker.report(now=True, sample=found)
        return found

    def _look_now(self) -> None:
        report = BackupReport()
        slice_now = ExportPart(
            self._part.name, self._part.namespace, self._partitions, metadata=False, expected_bytes=0
        )
        with machine_file(self._worker, self._part.name, report.heed_machine) as machine:
            text, text_in = os.pipe()
            variables = dict(self.variables, **{SAMPLE_FILE_VARIABLE: self._present})
            backup = Backup(self._worker, slice_now, ["-o", "-", "-m", machine], report, text_in)
            reader = start_parser(self._worker, text, variables)
            os.close(text_in)
            backup.wait()
            backup.summary()
        reader.wait()


def start_parser(worker: Worker, text: int, variables: Dict[str, str]) -> Restore:
    """Let this very program read an export from a pipe, which is then the parser's alone."""
    said, said_in = os.pipe()
    command = detach.program_command(PARSE, worker.order.run)
    program = Program("parser", command, text, said_in, tool_environment(variables))
    reader = Restore(worker, program, RestoreReport(), said)
    os.close(text)
    os.close(said_in)
    return reader


def _read(path: str) -> Dict[bytes, bytes]:
    notes: Dict[bytes, bytes] = {}
    with open(path, "rb") as file:
        while True:
            note = file.read(_DIGEST_BYTES + HASH_BYTES)
            if len(note) < _DIGEST_BYTES + HASH_BYTES:
                return notes
            notes[note[:_DIGEST_BYTES]] = note[_DIGEST_BYTES:]
