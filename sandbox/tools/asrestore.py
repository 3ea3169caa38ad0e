"""The stand-in of asrestore."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from aerokeep_node.formats.asb import BadExportError, Header, Index, Record, Udf, read_export

from sandbox.tools import restore_options
from sandbox.tools.limiter import Limiter
from sandbox.tools.options import coding
from sandbox.tools.restore_files import Inputs
from sandbox.tools.threads import EverySecond, leave, on_interrupt, side_by_side
from sandbox.tools.words import FailedError, MachineFile, err, eta, inf

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from aerokeep_node.formats.asb import Entry

    from sandbox.tools.restore_target import Target

_LINES_EVERY = 10


class Counter:
    """Tells how far a run is, and at its end what became of all records: also after a failure."""

    def __init__(self, target: Target, inputs: Inputs, machine: MachineFile) -> None:
        """Begin to count."""
        self._target = target
        self._inputs = inputs
        self._machine = machine
        self._ticks = 0
        self._said = self._noted = (time.monotonic(), 0, 0)

    def tick(self, over: bool) -> None:  # noqa: FBT001 - what `EverySecond` calls
        """Tell."""
        counts = self._target.counts
        now = (time.monotonic(), counts["records"], self._inputs.read_bytes)
        if over or self._ticks % _LINES_EVERY == 0:
            self._say(now)
        self._ticks += 1
        if expected := self._inputs.size_bytes:
            self._machine.put(f"PROGRESS:{now[2] * 100 // expected}")
            if size := now[2] - self._noted[2]:
                self._machine.put(f"REMAINING:{eta(int((expected - now[2]) * (now[0] - self._noted[0]) / size))}")
        self._noted = now
        if over:
            names = ("records", "expired", "skipped", "ignored", "inserted")
            told = ":".join(str(counts[name]) for name in names)
            existed, fresher = counts["existed"], counts["fresher"]
            # The blank before the colon stands in the real tool's format too.
            self._machine.put(f"SUMMARY:{self._target.udfs}:{self._target.indexes}:{told} :{existed}:{fresher}")

    def _say(self, now: tuple[float, int, int]) -> None:
        counts = self._target.counts
        seconds, records, size = (after - before for after, before in zip(now, self._said, strict=True))
        self._said = now
        each = size // records if records else 0
        inf(
            f"{self._target.udfs} UDF file(s), {self._target.indexes} secondary index(es), {now[1]} record(s) "
            f"({int(records / seconds) if seconds else 0} rec/s, {int(size / 1024 / seconds) if seconds else 0} KiB/s, "
            f"{each} B/rec, retries: {self._target.retries})"
        )
        existed, fresher = counts["existed"], counts["fresher"]
        inf(
            f"Expired {counts['expired']} : skipped {counts['skipped']} : err_ignored {counts['ignored']} : "
            f"inserted {counts['inserted']}: failed {existed + fresher} (existed {existed} , fresher {fresher})"
        )
        if self._inputs.size_bytes and size:
            left_s = (self._inputs.size_bytes - now[2]) * seconds / size
            inf(f"{now[2] * 100 // self._inputs.size_bytes}% complete, ~{eta(int(left_s))} remaining")


class Restore:
    """One run over all files."""

    def __init__(self, args: argparse.Namespace, inputs: Inputs, target: Target) -> None:
        """Take the parts."""
        self._args = args
        self._inputs = inputs
        self._target = target
        self._limiter = Limiter(args.pace, target.stop)
        self.failed = False

    def fail(self, message: str) -> None:
        """Note a failure and stop."""
        err(message)
        self.failed = True
        self._target.stop.set()

    def run(self) -> None:
        """Restore everything, or until something fails."""
        for path in self._inputs.paths:
            if self._target.stop.is_set():
                break
            try:
                self._file(path)
            except (BadExportError, OSError) as error:
                err(f"Error while restoring backup file {path or 'stdin'}: {error}")
                self.failed = True  # what was read before goes on its way, as in the real tool
                break
            except FailedError as error:
                self.fail(str(error))
        self._target.finish(whole=not self.failed)
        self.failed |= self._target.stop.is_set()

    def _file(self, path: Path | None) -> None:
        with self._inputs.opened(path) as text:
            for entry in read_export(text):
                if self._target.stop.is_set():
                    return
                self._entry(entry, path)

    def _entry(self, entry: Entry, path: Path | None) -> None:
        wanted = self._args.namespace[0] if self._args.namespace else None
        match entry:
            case Header():
                if wanted is not None and entry.namespace != wanted:
                    raise FailedError(f"Invalid namespace {entry.namespace} in backup file {path} (expected: {wanted})")
            case Index():
                self._target.index(entry)
            case Udf():
                self._target.udf(entry)
            case Record():
                if wanted is not None and entry.namespace != wanted:
                    raise FailedError(f"Invalid namespace {entry.namespace} in backup record, expected: {wanted}")
                if not self._args.no_records:
                    self._target.record(entry)
                    self._limiter.passed(len(entry.raw))


def restore(args: argparse.Namespace) -> int:
    """Run a restore; → exit code.

    Raises:
        FailedError: it could not even begin.

    """
    from sandbox.tools.restore_target import Database, Nothing  # noqa: PLC0415 - so that a tool says its version at once

    coded = coding(args)
    machine = MachineFile(args.machine)
    what = args.input_file or ",".join(args.folders)
    verb = "validation" if args.validate else "restore"
    inf(f"Starting {verb} of {'[stdin]' if what == '-' else what} to {args.host}")
    inputs = Inputs(args, coded)
    target: Target = Nothing() if args.validate else Database(args)
    run = Restore(args, inputs, target)
    on_interrupt(lambda: run.fail("### Restore interrupted ###"))
    with EverySecond(Counter(target, inputs, machine).tick):
        side_by_side(run.run, 1, target.stop)
    return 1 if run.failed else 0


def main(argv: Sequence[str]) -> int:
    """Run the tool; → exit code."""
    args = restore_options.read(argv)
    try:
        return restore(args)
    except FailedError as error:
        err(str(error))
        return 1


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
