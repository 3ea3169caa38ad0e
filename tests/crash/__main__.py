"""Run the crash matrix: ``python -m tests.crash [journey] [--sample n] [--seed s] [--jobs j]``."""

import argparse
import sys
import time

from tests.crash.field import Field
from tests.crash.invariants import orphans
from tests.crash.play import Player, Report
from tests.crash.programme import JOURNEYS
from tests.crash.rows import Row, rows_of, sampled

JOBS = 3


def main(argv: list[str] | None = None) -> int:
    """Play a journey's rows, or every journey's; → 1 if anything was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--journey", choices=sorted(JOURNEYS), default=None, help="all by default")
    parser.add_argument("--sample", type=int, default=None, help="so many rows of each journey, chosen by the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=JOBS, help="rows side by side")
    parser.add_argument("--rows", default="", help="only rows whose name contains this")
    given = parser.parse_args(argv)
    field = Field.open()
    try:
        names = [given.journey] if given.journey else [name for name in JOURNEYS if field.deployed(name)]
        broken = 0
        for name in names:
            rows = [row for row in rows_of(name, JOURNEYS[name].provoked) if given.rows in row.name]
            broken += _play(field, name, sampled(rows, given.sample, given.seed), jobs=given.jobs)
    finally:
        field.close()
    return 1 if broken else 0


def _play(field: Field, journey: str, rows: list[Row], *, jobs: int) -> int:
    began = time.monotonic()
    reports = Player(field).play_all(rows, jobs=jobs, told=_tell)
    seconds, state = max(((r.longest_lambda_s, r.longest_state) for r in reports), default=(0.0, ""))
    nobodys = list(orphans(field))
    for breach in nobodys:
        print(f"broken: {journey}: {breach}")
    broken = sum(bool(report.broken) for report in reports) + len(nobodys)
    xfail = sum(bool(report.expected) and not report.broken for report in reports)
    print(f"longest Lambda: {state} {seconds:.1f} s; {len(reports)} rows in {time.monotonic() - began:.0f} s")
    print(f"crash-matrix: journey={journey} rows={len(reports)} broken={broken} xfail={xfail}", flush=True)
    return broken


def _tell(report: Report) -> None:
    for line in report.lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
