"""A check that an export can be read from begin to end: by asrestore where it can, else by parsing it here."""

import os
from typing import Any, Dict, Optional

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.import_stream import pass_through
from aerokeep_node.transfer.listing import ListedFile, fetch_listing
from aerokeep_node.transfer.machine_file import machine_file
from aerokeep_node.transfer.order import ImportPart, Part
from aerokeep_node.transfer.restoring import Restore
from aerokeep_node.transfer.sample import Sample, start_parser
from aerokeep_node.transfer.tally import Tally
from aerokeep_node.transfer.tool_output import RestoreReport
from aerokeep_node.transfer.tools import RESTORE, can_validate, validate_command
from aerokeep_node.transfer.vault import tool_environment
from aerokeep_node.transfer.worker import Worker

BY_TOOL, BY_PARSE = "tool", "parse"


def verify(worker: Worker, part: Part) -> Dict[str, Any]:
    """Read all files of a part; their sizes and hashes are checked in any case."""
    assert isinstance(part, ImportPart)  # noqa: S101 - the order's kind says so
    sample = Sample(worker, part) if part.sampled(worker.order.sample) else None
    by_tool = sample is None and can_validate()
    worker.report(now=True, method=BY_TOOL if by_tool else BY_PARSE)
    files = fetch_listing(worker, part)
    tally = Tally(worker, files, part, ("records",))
    for file in files[part.skip :]:
        tally.begin()
        tally.done(1, _by_tool(worker, part, file, tally) if by_tool else _by_parse(worker, file, tally, sample))
    found = {"sample": sample.compare()} if sample is not None else {}
    return dict(tally.as_progress(), percent=100, remaining_s=0, **found)


def _by_tool(worker: Worker, part: ImportPart, file: ListedFile, tally: Tally) -> Dict[str, int]:
    report = RestoreReport()
    with machine_file(worker, part.name, report.heed_machine) as machine:
        text, text_in = os.pipe()
        command = [*validate_command(part, worker.key), "-i", "-", "-m", machine]
        variables = worker.key.variables if worker.key else None
        reader = Restore(worker, Program(RESTORE, command, text, environment=tool_environment(variables)), report)
        os.close(text)
        pass_through(worker, file, reader, text_in, tally)
        return reader.wait()


def _by_parse(worker: Worker, file: ListedFile, tally: Tally, sample: Optional[Sample]) -> Dict[str, int]:
    text, text_in = os.pipe()
    reader = start_parser(worker, text, sample.variables if sample is not None else {})
    pass_through(worker, file, reader, text_in, tally)
    return reader.wait()
