"""One object on its way into the vault: whole, or not there at all."""

import json
import os
from typing import Any, Dict, List, Optional

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.plumbing import Pump
from aerokeep_node.transfer.tools import compress_command, politely
from aerokeep_node.transfer.vault import upload_command
from aerokeep_node.transfer.worker import PartError, Worker


class Upload:
    """Compresses what comes from ``source`` and sends it; the CLI takes the end of its input for the end of the object.

    So nobody but ``finish`` closes that input, and whoever gives up ends the CLI first.
    """

    def __init__(self, worker: Worker, key: str, *, source: int, compressor: str, expected_bytes: int = 0) -> None:
        self.key = key
        self._finished = False
        self._worker = worker
        compressed, compressed_in = os.pipe()
        aws_out, self._aws_in = os.pipe()
        name = compressor if compressor != "none" else "cat"
        self._leash = worker.leash(self._aws_in)
        self._filter = worker.start(Program(name, compress_command(compressor), source, compressed_in))
        command = politely(upload_command(worker.order, key, expected_bytes))
        self._aws = worker.start(Program("aws", command, aws_out), upload=True)
        for descriptor in (source, compressed_in, aws_out):
            os.close(descriptor)
        self.pump = Pump(compressed, self._aws_in)
        worker.plumbing.carry(self.pump)

    def check(self) -> None:
        """Raise what has gone wrong so far.

        Raises:
            PartError: ``upload_failed``, or ``tool_failed`` for the compressor.

        """
        if self._aws.code is not None or self.pump.broken:
            self._worker.wait_for(self._aws)
            raise PartError("upload_failed", self._aws.describe_end())
        if self._filter.code not in (None, 0):
            raise PartError("tool_failed", self._filter.describe_end())

    def is_read(self) -> bool:
        """Whether all of the source has been passed on."""
        self.check()
        return self.pump.ended and self._filter.code == 0

    def give_up(self) -> None:
        """End it, the CLI first, so that nothing comes into being."""
        self._worker.plumbing.stop(self.pump)
        self._worker.end(uploads=[self._aws], others=[self._filter])
        if not self._finished:
            self._let_go()

    def _let_go(self) -> None:
        self._worker.release(self._leash)
        os.close(self._aws_in)
        os.close(self.pump.source)

    def finish(self) -> Dict[str, Any]:
        """Let the object come into being; only the caller knows that the source was whole."""
        self._finished = True
        self._let_go()
        if self._worker.wait_for(self._aws) != 0:
            raise PartError("upload_failed", self._aws.describe_end())
        self._worker.end([self._aws], [self._filter])
        return {"key": self.key, "size": self.pump.size, "sha256": self.pump.sha256}


def upload_bytes(worker: Worker, key: str, content: bytes) -> Dict[str, Any]:
    """Upload something small."""
    source, source_in = os.pipe()
    writer = os.fdopen(source_in, "wb", 0)
    os.set_blocking(source_in, False)
    upload = Upload(worker, key, source=source, compressor="none")
    left: Optional[bytes] = content
    while left:
        left = left[writer.write(left) or 0 :]
        worker.plumbing.turn(0.01)
        upload.check()
    writer.close()
    while not upload.is_read():
        worker.plumbing.turn()
    return upload.finish()


def upload_listing(worker: Worker, name: str, files: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Upload what a part consists of; whoever reads it checks each file against it."""
    content = json.dumps(files, separators=(",", ":")).encode("ascii")
    return upload_bytes(worker, worker.order.key_of(name, ".files.json"), content)
