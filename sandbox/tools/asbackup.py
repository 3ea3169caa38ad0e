"""The stand-in of asbackup."""

from __future__ import annotations

import math
import queue
import statistics
import sys
import time
from typing import TYPE_CHECKING

from aerokeep_node.formats.asb import PARTITIONS

from sandbox.tools import backup_options
from sandbox.tools.options import coding
from sandbox.tools.threads import EverySecond, leave, on_interrupt, side_by_side
from sandbox.tools.words import FailedError, MachineFile, err, eta, inf

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sandbox.tools.backup_scan import Run

_LINES_EVERY = 10
"""Progress is said to people every so many seconds."""
_CONFIDENCE_RECORD, _CONFIDENCE_FILE = 0.999999, 0.999


class Counter:
    """Tells how far a run is: of how many records, how fast, for how long still."""

    def __init__(self, run: Run, machine: MachineFile, expected: int) -> None:
        """``expected`` is how many records there are, more or less."""
        self._run = run
        self._machine = machine
        self._expected = expected
        self._ticks = 0
        self._said = self._noted = (time.monotonic(), 0, 0)

    def tick(self, over: bool) -> None:  # noqa: ARG002, FBT001 - what `EverySecond` calls
        """Tell, unless all is done."""
        now = (time.monotonic(), self._run.records, self._run.files.written)
        percent = now[1] * 100 // self._expected if self._expected else 100
        if percent >= 100:  # noqa: PLR2004 - the whole
            return
        if self._ticks % _LINES_EVERY == 0:
            seconds, records, size = (after - before for after, before in zip(now, self._said, strict=True))
            self._said = now
            rate = records / seconds if seconds else 0
            inf(
                f"{percent}% complete (~{int(size / 1024 / seconds) if seconds else 0} KiB/s, ~{int(rate)} rec/s, "
                f"~{size // records if records else 0} B/rec)"
            )
            if records:
                inf(f"~{eta(int((self._expected - now[1]) / rate))} remaining")
        self._ticks += 1
        seconds, records = now[0] - self._noted[0], now[1] - self._noted[1]
        self._noted = now
        self._machine.put(f"PROGRESS:{percent}")
        if records:
            self._machine.put(f"REMAINING:{eta(int((self._expected - now[1]) * seconds / records))}")


def _announce(args: argparse.Namespace) -> None:
    def shown(moment: int | None) -> str:
        if moment is None:
            return "[none]"
        return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment // 1_000_000_000))

    target = "[none]" if args.estimate else args.directory or args.output_file
    inf(
        f"Starting backup of {args.host} (namespace: {args.namespace}, "
        f"set: [{','.join(args.set) or 'all'}], bins: {','.join(args.bin_list) or '[all]'}, "
        f"after: {shown(args.modified_after)}, before: {shown(args.modified_before)}, "
        f"no ttl only: {str(args.no_ttl_only).lower()}, limit: {args.max_records}) to "
        f"{'[stdout]' if target == '-' else target}"
    )


def back_up(args: argparse.Namespace) -> int:
    """Run a backup; → exit code.

    Raises:
        FailedError: it could not even begin.

    """
    from sandbox.tools.backup_files import opened  # noqa: PLC0415 - so that a tool says its version at once
    from sandbox.tools.backup_scan import Run  # noqa: PLC0415 - the same
    from sandbox.tools.server import Server  # noqa: PLC0415 - the same

    coded = coding(args, level=args.compression_level)
    machine = MachineFile(args.machine)
    _announce(args)
    server = Server(args)
    expected = server.records(args.namespace, args.set)
    covered = sum(part.size for part in args.parts)
    expected = expected * covered // PARTITIONS
    try:
        run = Run(args, server, opened(args, coded))
    except OSError as error:
        raise FailedError(f"Error while writing header to backup file: {error.strerror}") from error
    on_interrupt(lambda: _interrupt(run))
    with EverySecond(Counter(run, machine, run.wanted or expected).tick):
        ended = _scan_all(run)
    if ended:
        side_by_side(lambda: _close(run), 1, run.stop)
    if run.failed:
        err("Backup was aborted, meaning the state is unrecoverable")
        err("Backup aborted, backup state is likely unrecoverable")
    if args.estimate:
        _tell_estimate(run, machine, expected)
    _sum_up(run, machine)
    return 1 if run.failed else 0


def _interrupt(run: Run) -> None:
    run.fail("### Backup interrupted ###")


def _scan_all(run: Run) -> bool:
    try:
        run.put_globals()
    except FailedError as error:
        run.fail(str(error))
    except OSError as error:
        run.fail(f"Error while storing metadata in backup file: {error.strerror}")
    jobs: queue.SimpleQueue[backup_options.Part] = queue.SimpleQueue()
    for part in run.args.parts:
        jobs.put(part)

    def work() -> None:
        while not run.stop.is_set() and not jobs.empty():
            try:
                run.scan(jobs.get_nowait())
            except queue.Empty:
                return

    return side_by_side(work, min(run.args.parallel, len(run.args.parts)), run.stop)


def _close(run: Run) -> None:
    try:
        run.files.close()
    except OSError as error:
        run.fail(f"Error while closing backup file: {error.strerror}")


def _tell_estimate(run: Run, machine: MachineFile, expected: int) -> None:
    sizes = run.samples
    mean = statistics.fmean(sizes) if sizes else 0.0
    error = math.sqrt(statistics.variance(sizes) / len(sizes)) if len(sizes) > 1 else 0.0
    normal = statistics.NormalDist()
    upper = math.ceil(mean + normal.inv_cdf(_CONFIDENCE_RECORD) * error) if len(sizes) > 1 else 0
    inf(f"Estimated overall record size is {upper} byte(s)")
    machine.put(f"ESTIMATE:{expected}:{upper}")
    total = run.header_bytes + math.ceil(expected * (mean + normal.inv_cdf(_CONFIDENCE_FILE) * error))
    inf(
        f"Estimated total backup file size (for backup-to-file, {100 * _CONFIDENCE_FILE:g}% confidence): "
        f"{total} byte(s)"
    )


def _sum_up(run: Run, machine: MachineFile) -> None:
    """Say the totals: as in the real tool also after a failure."""
    records, size = run.records, run.files.written
    each = size // records if records else 0
    inf(
        f"Backed up {records} record(s), {run.indexes} secondary index(es), {run.udfs} UDF file(s), "
        f"{size} byte(s) in total (~{each} B/rec)"
    )
    machine.put(f"SUMMARY:{records}:{run.indexes}:{run.udfs}:{size}:{each}")


def main(argv: Sequence[str]) -> int:
    """Run the tool; → exit code."""
    args = backup_options.read(argv)
    try:
        return back_up(args)
    except FailedError as error:
        err(str(error))
        return 1


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
