"""How far an import or verification is: the files that are done, what they held, and how fast it goes."""

import time
from typing import Any, Dict, Sequence

from aerokeep_node.run_directory import PROGRESS
from aerokeep_node.transfer.listing import ListedFile
from aerokeep_node.transfer.order import ImportPart
from aerokeep_node.transfer.worker import Worker


class Tally:
    """``counters`` names what is summed up over the files that this job has done."""

    def __init__(self, worker: Worker, files: Sequence[ListedFile], part: ImportPart, counters: Sequence[str]) -> None:
        skip = part.skip
        self._worker = worker
        self._name = part.name
        self._files = files
        self._began_s = time.monotonic()
        self._done = skip
        self._done_bytes = 0
        self._total_bytes = sum(file.size for file in files[skip:])
        self._sums = dict.fromkeys((*counters, "sindexes", "udfs"), 0)
        self._counters = tuple(counters)
        worker.report(now=True, files=len(files), files_done=skip)

    def begin(self) -> None:
        """Have it written down, before it is so, that the next file may have been restored in part."""
        self._worker.report(now=True, begun=True)
        while not self._is_written():
            self._worker.plumbing.turn(0.01)

    def _is_written(self) -> bool:
        progress = self._worker.directory.read(PROGRESS) or {"parts": []}
        return any(part["name"] == self._name and part["begun"] for part in progress["parts"])

    def flow(self, moving_bytes: int, rate: int = 0) -> None:
        """Tell how far it is within the files that are on their way."""
        done_bytes = self._done_bytes + moving_bytes
        elapsed_s = max(0.001, time.monotonic() - self._began_s)
        left_s = int((self._total_bytes - done_bytes) * elapsed_s / done_bytes) if done_bytes else None
        percent = min(99, done_bytes * 100 // max(1, self._total_bytes))
        self._worker.report(percent=percent, bytes=done_bytes, remaining_s=left_s, rate=rate)

    def done(self, files: int, summary: Dict[str, int]) -> None:
        """Count files that are done as a whole."""
        self._done_bytes += sum(file.size for file in self._files[self._done : self._done + files])
        self._done += files
        for name in self._sums:
            self._sums[name] += summary[name]
        self._worker.report(now=True, begun=False, **self.as_progress())

    def as_progress(self) -> Dict[str, Any]:
        """Give what a part's progress takes from it."""
        elapsed_s = max(0.001, time.monotonic() - self._began_s)
        return {
            "files_done": self._done,
            "bytes": self._done_bytes,
            "rate": int(self._sums["records"] / elapsed_s),
            "counters": {name: self._sums[name] for name in self._counters},
            "sindexes": self._sums["sindexes"],
            "udfs": self._sums["udfs"],
        }
