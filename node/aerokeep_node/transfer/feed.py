"""One object on its way out of the vault into a program or file, whose end is passed on only if it is whole."""

import os

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.listing import ListedFile
from aerokeep_node.transfer.plumbing import Pump
from aerokeep_node.transfer.tools import decompress_command, politely
from aerokeep_node.transfer.vault import download_command
from aerokeep_node.transfer.worker import PartError, Worker


class Feed:
    """Downloads and decompresses into ``target``, which the worker keeps open too: only the worker can end it.

    Neither the CLI's end nor the decompressor's is taken for the end of the object, since both end when they fail.
    """

    def __init__(self, worker: Worker, file: ListedFile, target: int, *, decompressor: str) -> None:
        self.file = file
        self._worker = worker
        received, received_in = os.pipe()
        filter_out, self._filter_in = os.pipe()
        self._leash = worker.leash(self._filter_in, target)
        self._filter = worker.start(
            Program(
                decompressor if decompressor != "none" else "cat", decompress_command(decompressor), filter_out, target
            )
        )
        command = politely(download_command(worker.order, file.key))
        self._aws = worker.start(Program("aws", command, stdout=received_in))
        for descriptor in (received_in, filter_out):
            os.close(descriptor)
        self.pump = Pump(received, self._filter_in)
        worker.plumbing.carry(self.pump)

    def check(self) -> None:
        """Raise what has gone wrong so far.

        Raises:
            PartError: ``disk_full``, or ``tool_failed`` for the decompressor.

        """
        if self._filter.code is not None or self.pump.broken:
            self._worker.wait_for(self._filter)
            code = "disk_full" if self._filter.words.no_space else "tool_failed"
            raise PartError(code, self._filter.describe_end())

    def is_received(self) -> bool:
        """Whether all has been passed on, and is what was listed.

        Raises:
            PartError: ``download_failed``, ``checksum_differs``, or what ``check`` raises.

        """
        self.check()
        if not self.pump.ended or self._aws.code is None:
            return False
        if self._worker.wait_for(self._aws) != 0:
            raise PartError("download_failed", self._aws.describe_end())
        if (self.pump.size, self.pump.sha256) != (self.file.size, self.file.sha256):
            detail = f"{self.file.key}: {self.pump.size} bytes of sha256 {self.pump.sha256} came, not what is listed"
            raise PartError("checksum_differs", detail)
        return True

    def finish(self) -> None:
        """Pass the end on through the decompressor; the caller then ends the target."""
        self._worker.release(self._leash)
        os.close(self._filter_in)
        os.close(self.pump.source)
        if self._worker.wait_for(self._filter) != 0:
            code = "disk_full" if self._filter.words.no_space else "tool_failed"
            raise PartError(code, self._filter.describe_end())
        self._worker.end([], [self._filter, self._aws])
