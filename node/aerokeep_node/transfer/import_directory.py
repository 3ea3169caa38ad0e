"""An import through the host's disks: some objects at a time are downloaded, checked, and then restored at once."""

import os
import shutil
from typing import Any, Dict, List, Sequence

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.feed import Feed
from aerokeep_node.transfer.listing import ListedFile, fetch_listing
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import ImportPart, Part
from aerokeep_node.transfer.restoring import Restore
from aerokeep_node.transfer.spool import make_spool
from aerokeep_node.transfer.tally import Tally
from aerokeep_node.transfer.tool_output import COUNTERS, RestoreReport
from aerokeep_node.transfer.tools import RESTORE, restore_command
from aerokeep_node.transfer.vault import tool_environment
from aerokeep_node.transfer.worker import Worker


def import_directory(worker: Worker, part: Part) -> Dict[str, Any]:
    """Import a part; a batch counts as a whole."""
    assert isinstance(part, ImportPart)  # noqa: S101 - the order's kind says so
    files = fetch_listing(worker, part)
    tally = Tally(worker, files, part, COUNTERS)
    step = worker.order.parallel
    for start in range(part.skip, len(files), step):
        batch = files[start : start + step]
        spool = make_spool(worker.directory.tree, worker.order, part.name)
        _download(worker, batch, spool, tally)
        tally.begin()
        tally.done(len(batch), _restore(worker, part, spool))
        shutil.rmtree(spool)
    return dict(tally.as_progress(), percent=100, remaining_s=0)


def _download(worker: Worker, batch: Sequence[ListedFile], spool: str, tally: Tally) -> None:
    feeds: List[Feed] = []
    targets: List[int] = []
    for index, file in enumerate(batch):
        # By their places, since names in the vault may be alike.
        path = os.path.join(spool, f"{index:05d}.asb")
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        decompressor = "none" if worker.order.encryption is not None else file.compressed
        targets.append(target)
        feeds.append(Feed(worker, file, target, decompressor=decompressor))
    waiting = list(feeds)
    while waiting:
        worker.plumbing.turn()
        for feed in [feed for feed in waiting if feed.is_received()]:
            feed.finish()
            waiting.remove(feed)
        tally.flow(sum(feed.pump.size for feed in feeds))
    for target in targets:
        os.close(target)


def _restore(worker: Worker, part: ImportPart, spool: str) -> Dict[str, int]:
    report = RestoreReport()
    with machine_file(worker, part.name, report.heed_machine) as machine:
        command = [*restore_command(worker.order, part, worker.key), "-d", spool, "-m", machine]
        variables = worker.key.variables if worker.key else None
        restore = Restore(worker, Program(RESTORE, command, environment=tool_environment(variables)), report)
        return restore.wait()
