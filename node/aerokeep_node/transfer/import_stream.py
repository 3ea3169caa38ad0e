"""An import that never touches the host's disks: one object after the other through a decompressor into asrestore."""

import os
from typing import Any, Dict

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.feed import Feed
from aerokeep_node.transfer.listing import ListedFile, fetch_listing
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import ImportPart, Part
from aerokeep_node.transfer.restoring import Restore
from aerokeep_node.transfer.tally import Tally
from aerokeep_node.transfer.tool_output import COUNTERS, RestoreReport
from aerokeep_node.transfer.tools import RESTORE, restore_command
from aerokeep_node.transfer.vault import tool_environment
from aerokeep_node.transfer.worker import PartError, Worker


def import_stream(worker: Worker, part: Part) -> Dict[str, Any]:
    """Import a part; a file counts when asrestore has said what became of its records."""
    assert isinstance(part, ImportPart)  # noqa: S101 - the order's kind says so
    files = fetch_listing(worker, part)
    tally = Tally(worker, files, part, COUNTERS)
    for file in files[part.skip :]:
        tally.begin()
        tally.done(1, _restore(worker, part, file, tally))
    return dict(tally.as_progress(), percent=100, remaining_s=0)


def _restore(worker: Worker, part: ImportPart, file: ListedFile, tally: Tally) -> Dict[str, int]:
    report = RestoreReport()
    with machine_file(worker, part.name, report.heed_machine) as machine:
        text, text_in = os.pipe()
        command = [*restore_command(worker.order, part, worker.key), "-i", "-", "-m", machine]
        variables = worker.key.variables if worker.key else None
        restore = Restore(worker, Program(RESTORE, command, text, environment=tool_environment(variables)), report)
        os.close(text)
        pass_through(worker, file, restore, text_in, tally)
        return restore.wait()


def pass_through(worker: Worker, file: ListedFile, reader: Restore, target: int, tally: Tally) -> None:
    """Feed a file to its reader, and end the reader's input, which nobody else can, once all of it has come."""
    decompressor = "none" if worker.order.encryption is not None else file.compressed
    feed = Feed(worker, file, target, decompressor=decompressor)
    try:
        while not feed.is_received():
            worker.plumbing.turn()
            reader.check()
            tally.flow(feed.pump.size, reader.report.rate)
        feed.finish()
    except PartError:
        reader.check()  # if it ended, that is why everything before it did
        raise
    os.close(target)
