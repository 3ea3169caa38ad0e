"""asbackup as a part's work runs it: how far it is, how it ended, and what it says it has done."""

import subprocess
from typing import Any, Dict, List, Optional

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.order import ExportPart
from aerokeep_node.transfer.tool_output import BackupReport
from aerokeep_node.transfer.tools import BACKUP, backup_command
from aerokeep_node.transfer.vault import tool_environment
from aerokeep_node.transfer.worker import PartError, Worker


class Backup:
    """One asbackup; ``where`` are the options that say what it writes to."""

    def __init__(
        self, worker: Worker, part: ExportPart, where: List[str], report: BackupReport, stdout: Optional[int] = None
    ) -> None:
        self.report = report
        self._worker = worker
        key = worker.key
        program = Program(
            BACKUP,
            [*backup_command(worker.order, part, key), *where],
            stdout=subprocess.DEVNULL if stdout is None else stdout,
            environment=tool_environment(key.variables if key else None),
        )
        self._tool = worker.start(program, heed=report.heed_stderr)

    @property
    def runs(self) -> bool:
        """Whether it still runs."""
        return self._tool.code is None

    def tell_progress(self, **more: Any) -> None:  # noqa: ANN401 - whatever a part's progress holds
        """Tell the job how far it is; 100 % are reached only when all is in the vault."""
        report = self.report
        percent = min(99, report.percent)
        self._worker.report(percent=percent, rate=report.rate, remaining_s=report.remaining_s, **more)

    def judge(self) -> None:
        """Refuse a backup that has failed.

        Raises:
            PartError: ``disk_full``, ``tool_killed`` or ``tool_failed``.

        """
        if self._tool.code in (None, 0):
            return
        code = self._worker.wait_for(self._tool)
        if self._tool.words.no_space:
            raise PartError("disk_full", self._tool.describe_end())
        raise PartError("tool_killed" if code < 0 else "tool_failed", self._tool.describe_end())

    def wait(self) -> None:
        """Wait for a backup that nothing else depends on meanwhile."""
        while self.runs:
            self._worker.plumbing.turn()
            self.tell_progress()
        self.judge()

    def summary(self) -> Dict[str, int]:
        """Give what the tool says that it has done; without that, nothing counts as done.

        Raises:
            PartError: ``summary_missing``.

        """
        self.hear_out()
        if self.report.summary is None:
            raise PartError("summary_missing", "asbackup ended with 0, but never said how much it had backed up")
        return self.report.summary

    def hear_out(self) -> None:
        """Take in all that it said before it ended."""
        self._worker.wait_for(self._tool)
        self._worker.plumbing.drain(0.0)
