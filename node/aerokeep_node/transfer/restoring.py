"""asrestore, or whatever else reads an export, as a part's work runs it: how it ended, and what it counted."""

import os
from typing import Dict, Optional

from aerokeep_node.transfer.children import Child, Program
from aerokeep_node.transfer.tool_output import RestoreReport
from aerokeep_node.transfer.worker import PartError, Worker


class Restore:
    """One run of a reader."""

    def __init__(self, worker: Worker, program: Program, report: RestoreReport, stdout: Optional[int] = None) -> None:
        self.report = report
        self._worker = worker
        self._tool: Child = worker.start(program, heed=report.heed_stderr)
        self._stdout = stdout
        if stdout is not None:
            worker.plumbing.heed(stdout, report.heed_machine)

    def check(self) -> None:
        """Refuse a reader that ended before its input did.

        Raises:
            PartError: ``tool_failed`` or ``tool_killed``.

        """
        if self._tool.code is not None:
            code = self._worker.wait_for(self._tool)
            raise PartError("tool_killed" if code < 0 else "tool_failed", self._tool.describe_end())

    def wait(self) -> Dict[str, int]:
        """Wait for its end and judge it by what it counted, never by its exit code alone.

        Raises:
            PartError: ``tool_failed``, ``tool_killed``, ``summary_missing`` or ``records_ignored``.

        """
        code = self._worker.wait_for(self._tool)
        self._worker.plumbing.drain(0.0)
        if code != 0:
            raise PartError("tool_killed" if code < 0 else "tool_failed", self._tool.describe_end())
        summary = self.report.summary
        if summary is None:
            raise PartError("summary_missing", f"{self._tool.name} ended with 0, but never said what it had done")
        if summary["ignored"]:
            detail = "{ignored} of {records} records were refused by the server and ignored".format(**summary)
            raise PartError("records_ignored", detail)
        self._worker.end([], [self._tool])
        if self._stdout is not None:
            self._worker.plumbing.forget(self._stdout)
            os.close(self._stdout)
        return summary
