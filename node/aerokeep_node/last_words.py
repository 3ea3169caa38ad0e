"""What a server said before it ended: the end of its log, the gravest lines first."""

import os
import re
import subprocess
from typing import List

from aerokeep_node.conf import Context
from aerokeep_node.unit_files import UNIT

TAIL_BYTES = 32 * 1024
JOURNAL = ("journalctl", "-u", UNIT, "-n", "60", "-o", "cat", "--no-pager")
TIMEOUT_S = 4.0
MOST_GRAVE, MOST_LAST = 4, 4
LONGEST_LINE = 220
_GRAVE = re.compile(r"CRITICAL|FAILED ASSERTION|unmatched headers|DEVICE FAILED")


def last_words(conf: Context) -> str:
    """Give a few lines, from the log file that the conf names, else from the journal."""
    lines = [line for path in _log_files(conf) for line in _tail(path)] or _journal()
    grave = [line for line in lines if _GRAVE.search(line)][-MOST_GRAVE:]
    last = [line for line in lines[-MOST_LAST:] if line not in grave]
    return " | ".join(line[:LONGEST_LINE] for line in grave + last) or "the server left no log"


def _log_files(conf: Context) -> List[str]:
    logging = conf.child("logging")
    sinks = list(logging.named("file")) if logging else []
    return [sink.words[1] for sink in sinks if len(sink.words) > 1]


def _tail(path: str) -> List[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _journal() -> List[str]:
    try:
        done = subprocess.run(
            JOURNAL,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
