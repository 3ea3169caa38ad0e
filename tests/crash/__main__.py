"""Run the crash matrix: ``python -m tests.crash [--journey j] [--rows text] [--sample n] [--seed s] [--jobs j]``."""

import argparse
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.crash.crew import Crew, Playing, Scouted, Scouting
from tests.crash.play import Report
from tests.crash.programme import JOURNEYS
from tests.crash.rows import Row, Site, rows_of, sampled

JOBS = 6
HANDS = 4
"""Rows that one process plays at once: they mostly wait."""
PROGRESS = 100
"""Rows between two words of how far it is."""


@dataclass
class Tally:
    """One journey's rows as they are played."""

    journey: str
    rows: int
    reports: list[Report] = field(default_factory=list)

    @property
    def broken(self) -> int:
        """Rows that broke something nobody knew of."""
        return sum(bool(report.broken) for report in self.reports)

    @property
    def line(self) -> str:
        """As the matrix ends."""
        xfail = sum(bool(report.expected) and not report.broken for report in self.reports)
        return f"crash-matrix: journey={self.journey} rows={len(self.reports)} broken={self.broken} xfail={xfail}"


def main(argv: list[str] | None = None) -> int:
    """Play a journey's rows, or every journey's; → 1 if anything was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--journey", choices=sorted(JOURNEYS), action="append", help="several are several; else all")
    parser.add_argument("--sample", type=int, default=None, help="so many rows of each journey, chosen by the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=JOBS, help="rows side by side")
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    given = parser.parse_args(argv)
    names = given.journey or list(JOURNEYS)
    fields = max(1, min(os.cpu_count() or 1, math.ceil(given.jobs / HANDS)))
    with Crew(fields=fields, hands=math.ceil(given.jobs / fields)) as crew:
        sites = _scout(crew, names)
        rows = {}
        for name in names:
            wanted = [row for row in rows_of(name, JOURNEYS[name].scenes, sites[name]) if given.rows in row.name]
            rows[name] = sampled(wanted, given.sample, given.seed)
        tallies = _play(crew, rows)
        orphans = list(crew.dismiss())
    for orphan in orphans:
        print(f"broken: {orphan}")
    for tally in tallies:
        print(tally.line, flush=True)
    return 1 if orphans or any(tally.broken for tally in tallies) else 0


def _scout(crew: Crew, names: Sequence[str]) -> dict[str, set[Site]]:
    """Which calls each journey's states make: every pair of the two is a row."""
    found: dict[str, set[Site]] = {name: set() for name in names}
    scenes = [(name, scene) for name in names for scene in JOURNEYS[name].scenes]
    for scouted in crew.do([Scouting(name, scene, number) for number, (name, scene) in enumerate(scenes)]):
        if isinstance(scouted, Scouted):
            found[scouted.journey].update(scouted.sites)
    return found


def _play(crew: Crew, rows: Mapping[str, Sequence[Row]]) -> list[Tally]:
    began = time.monotonic()
    tallies = {name: Tally(name, len(wanted)) for name, wanted in rows.items()}
    everything = [Playing(row, number) for wanted in rows.values() for number, row in enumerate(wanted)]
    for report in crew.do(everything):
        if not isinstance(report, Report):
            continue
        for line in report.lines:
            print(line, flush=True)
        tally = tallies[report.row.journey]
        tally.reports.append(report)
        if (played := sum(len(each.reports) for each in tallies.values())) % PROGRESS == 0:
            print(f"{played} of {len(everything)} rows after {time.monotonic() - began:.0f} s", flush=True)
        if len(tally.reports) == tally.rows:
            _tell(tally, seconds=time.monotonic() - began)
    return list(tallies.values())


def _tell(tally: Tally, *, seconds: float) -> None:
    slowest = max(tally.reports, key=lambda report: report.longest_lambda_s, default=None)
    if slowest is not None:
        longest = f"longest Lambda: {slowest.longest_state} {slowest.longest_lambda_s:.1f} s"
        print(f"{tally.journey}: {longest}; all of {tally.rows} rows played after {seconds:.0f} s")
    print(tally.line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
