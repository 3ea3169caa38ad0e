"""What asbackup and asrestore say, on stderr and in their machine file; lines that nobody knows are skipped."""

import re
from typing import Dict, List, Optional

LONGEST_ETA_S = 100 * 86400
"""asbackup says ``>100d`` beyond that."""
MOST_WORDS = 6
LONGEST_LINE = 240
COUNTERS = ("records", "inserted", "existed", "fresher", "expired", "skipped", "ignored")
_PROGRESS = re.compile(r"\b(\d{1,3})% complete\b")
_RATE = re.compile(r"(\d+) rec/s")
_REMAINING = re.compile(r"~(>?(?:\d+[dhms])+) remaining")
_ETA = re.compile(r"(\d+)([dhms])")
_BACKED_UP = re.compile(
    r"Backed up (\d+) record\(s\), (\d+) secondary index\(es\), (\d+) UDF file\(s\), (\d+) byte\(s\)"
)
_ESTIMATED = re.compile(r"Estimated overall record size (?:before compression )?is (\d+) byte")
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded")
_VERSION = re.compile(r"(?:^|\s)[Vv]ersion:?\s+v?(\d+(?:\.\d+)+[0-9A-Za-z.+-]*)")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_RESTORE_FIELDS = ("udfs", "sindexes", "records", "expired", "skipped", "ignored", "inserted", "existed", "fresher")


class LastWords:
    """The last lines that a program wrote to stderr, for whoever asks why it failed."""

    def __init__(self) -> None:
        self.lines: List[str] = []
        self.no_space = False

    def heed(self, line: str) -> None:
        """Keep a line."""
        self.no_space = self.no_space or bool(_NO_SPACE.search(line))
        if line.strip():
            self.lines = [*self.lines, line.strip()[:LONGEST_LINE]][-MOST_WORDS:]

    def __str__(self) -> str:
        return " | ".join(self.lines)


class BackupReport:
    """What asbackup has said so far."""

    def __init__(self) -> None:
        self.percent = 0
        self.rate = 0
        self.remaining_s: Optional[int] = None
        self.record_bytes: Optional[int] = None
        self._told: Optional[Dict[str, int]] = None
        self._written: Optional[Dict[str, int]] = None
        self._sampled = False

    @property
    def summary(self) -> Optional[Dict[str, int]]:
        """What was backed up; the line for people counts where it stands."""
        return self._told or self._written

    def heed_machine(self, line: str) -> None:
        """Take in a line of the machine file.

        Before it writes to one file, asbackup estimates its size by a small silent backup, and this one, too, leaves
        a SUMMARY there, after its ESTIMATE (aerospike-tools-backup, run_backup).
        """
        word, _, rest = line.strip().partition(":")
        fields = [field.strip() for field in rest.split(":")]
        if word == "PROGRESS" and fields[0].isdecimal():
            self.percent = min(100, int(fields[0]))
        elif word == "REMAINING":
            self.remaining_s = seconds_of(fields[0])
        elif word == "ESTIMATE" and fields[-1].isdecimal():
            self.record_bytes = int(fields[-1])
            self._sampled = True
        elif word == "SUMMARY" and self._sampled:
            self._sampled = False
        elif word == "SUMMARY" and len(fields) > 3 and all(field.isdecimal() for field in fields):  # noqa: PLR2004 - four counts
            self._written = _summary(fields)

    def heed_stderr(self, line: str) -> None:
        """Take in a line for people: only it has the rate."""
        progress, rate, remaining = _PROGRESS.search(line), _RATE.search(line), _REMAINING.search(line)
        if progress:
            self.percent = min(100, int(progress.group(1)))
        if rate:
            self.rate = int(rate.group(1))
        if remaining:
            self.remaining_s = seconds_of(remaining.group(1))
        estimated, backed_up = _ESTIMATED.search(line), _BACKED_UP.search(line)
        if estimated:
            self.record_bytes = int(estimated.group(1))
        if backed_up:
            self._told = _summary(list(backed_up.groups()))


class RestoreReport:
    """What asrestore has said so far; it has succeeded only if it gives a summary."""

    def __init__(self) -> None:
        self.summary: Optional[Dict[str, int]] = None
        self.rate = 0

    def heed_stderr(self, line: str) -> None:
        """Take in a line for people: only it has the rate."""
        rate = _RATE.search(line)
        if rate:
            self.rate = int(rate.group(1))

    def heed_machine(self, line: str) -> None:
        """Take in a line of the machine file; its SUMMARY has a stray blank in it."""
        word, _, rest = line.strip().partition(":")
        fields = [field.strip() for field in rest.split(":")]
        if word == "SUMMARY" and len(fields) >= len(_RESTORE_FIELDS) and all(field.isdecimal() for field in fields):
            self.summary = {name: int(fields[index]) for index, name in enumerate(_RESTORE_FIELDS)}


def _summary(fields: List[str]) -> Dict[str, int]:
    records, sindexes, udfs, size_bytes = map(int, fields[:4])
    return {"records": records, "sindexes": sindexes, "udfs": udfs, "bytes": size_bytes}


def seconds_of(eta: str) -> Optional[int]:
    """Read ``1d2h3m4s``; None where it is not that."""
    if eta.startswith(">"):
        return LONGEST_ETA_S
    found = _ETA.findall(eta)
    if not found or "".join(number + unit for number, unit in found) != eta:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in found)


def version_of(text: str) -> Optional[str]:
    """Find the tool's own version in what ``--version`` says; the client library's stands below it."""
    for line in text.splitlines():
        found = _VERSION.search(line)
        if found and "client" not in line.lower():
            return found.group(1)[:32]
    return None


def no_counters() -> Dict[str, int]:
    """Give counters of an import that has not done anything."""
    return dict.fromkeys(COUNTERS, 0)
