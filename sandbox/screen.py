"""What the demo shows: states as they pass, snapshots as they fill, the recovery point, and the proof."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.recovery_point import Manifest
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from sandbox.proof import Verdict

PROVEN = "every node was quiet from before the first cut request to after the last answer"


LOG_WIDTH = 132


class Screen:
    """A console that is also read in logs: every line stands by itself, only the bar moves."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = LOG_WIDTH

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text)

    def heading(self, text: str) -> None:
        """The start of a part."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def journey(self, states: Sequence[str]) -> "JourneyBar":
        """A progress bar over the states of a journey."""
        return JourneyBar(self.console, states)

    def point(self, manifest: Manifest, evidence: dict[str, NodeEvidence]) -> None:
        """The recovery point: a row per node, then its label with the reasons."""
        table = Table(title=f"recovery point {manifest.point_id}", title_justify="left")
        for column in (
            "node",
            "instance",
            "volumes",
            "snapshots",
            "SMD files",
            "quiet (s after T0)",
            "let go (s)",
            "ended by",
        ):
            table.add_column(column)
        files = {node.node_id: node.files for node in manifest.files}
        start = manifest.window.start_at if manifest.window else manifest.first_request
        for cut in manifest.cuts:
            seen = evidence.get(cut.instance_id)
            quiet = (seen.times.frozen or seen.times.flushed) if seen else None
            smd = [file for file in files.get(cut.node_id, ()) if "/smd/" in file.key]
            table.add_row(
                cut.node_id,
                cut.instance_id,
                *_columns(cut.snapshots),
                str(len(smd)),
                _after(start, quiet, seen),
                _after(start, seen.times.lift_started if seen else None, seen),
                seen.ended_by if seen else "unheard",
            )
        self.console.print(table)
        label = manifest.label
        self.say(f"consistency: [bold]{label.consistency}[/bold], covering {', '.join(label.namespaces)}")
        for reason in label.reasons or (PROVEN,):
            self.say(f"  because {reason}")
        spread_s = (manifest.last_response - manifest.first_request).total_seconds()
        stopped = "not stopped" if label.write_stop_s is None else f"stopped for {label.write_stop_s:.2f} s"
        self.say(f"writes were {stopped}; the cuts spread over {spread_s:.2f} s")
        self.say(f"commit mark: {manifest.evidence_key.rpartition('/')[0]}/manifest.json")

    def proof(self, verdict: Verdict) -> None:
        """What the witness found in the copy."""
        self.say(
            f"{verdict.acknowledged} writes acknowledged in all, {verdict.before_cut} of them before the cut: "
            f"{verdict.lost} lost, {verdict.from_after_cut} from after the cut"
        )


def _columns(snapshots: dict[str, str]) -> tuple[str, str]:
    pairs = sorted(snapshots.items())
    return "\n".join(volume for volume, _ in pairs), "\n".join(snapshot for _, snapshot in pairs)


def _after(start: datetime, host_epoch: float | None, seen: NodeEvidence | None) -> str:
    if host_epoch is None or seen is None:
        return "-"
    offset_s = seen.clocks[0].offset_s if seen.clocks else 0.0
    return f"{host_epoch - offset_s - start.timestamp():+.3f}"


def message_of(cause: str) -> str:
    """What the Lambda said, out of the JSON that Step Functions makes of it."""
    before, brace, rest = cause.partition("{")
    try:
        return before + str(json.loads(brace + rest)["errorMessage"])
    except (ValueError, KeyError):
        return cause


class JourneyBar:
    """Progress over states; within CheckSnapshots, over the snapshots' bytes."""

    def __init__(self, console: Console, states: Sequence[str]) -> None:
        self._console, self._states = console, list(states)
        columns = (TextColumn("{task.description:<22}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("starting", total=len(self._states))
        self._begun: datetime | None = None
        self._last = self._told = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def entered(self, state: str, at: datetime) -> None:
        """A state began."""
        self._begun = self._begun or at
        done = self._states.index(state) if state in self._states else None
        self._progress.update(self._task, description=state, completed=done)
        if state != self._last and state in self._states:
            self._last = state
            self._line(state, at)

    def failed(self, detail: str, at: datetime) -> None:
        """A state failed."""
        self._line(f"[red]failed[/red] {escape(detail)}", at)

    def snapshots(self, percents: Iterable[int]) -> None:
        """How far the snapshots are."""
        known = list(percents)
        if known:
            mean = sum(known) / len(known)
            text = f"snapshots {mean:.0f} %"
            self._progress.update(
                self._task, description=text, completed=self._states.index("CheckSnapshots") + mean / 100
            )
            self._console.print(f"           snapshots: {' '.join(f'{percent}%' for percent in known)}")

    def transfer(self, state: str, told: Mapping[str, Any]) -> None:
        """How far the tools are, how fast, and how long they expect to take."""
        percent, rate, left_s = told["percent"], told["records_per_second"], told["remaining_s"]
        remaining = "" if left_s is None else f", about {left_s:.0f} s left"
        self._progress.update(
            self._task, description=f"{state} {percent:.0f} %", completed=self._states.index(state) + percent / 100
        )
        done = round(percent / 5)
        bar = f"[{'#' * done}{'.' * (20 - done)}]"
        line = (
            f"             {escape(bar)} {percent:3.0f} %  part {told['parts_done']} of {told['parts']}  "
            f"{rate:,.0f} records/s{remaining}"
        )
        if line != self._told:
            self._told = line
            self._console.print(line)

    def _line(self, text: str, at: datetime) -> None:
        since_s = (at - (self._begun or at)).total_seconds()
        self._console.print(f"  +{since_s:6.2f} s  {text}")
