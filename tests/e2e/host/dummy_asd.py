"""A process that passes for asd: it ends on SIGTERM, cleanly marks its files, and fails when it is told to."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

STATE = Path(os.environ["DUMMY_STATE"])
FLAGS_OFFSET = 0x38
ORDERS = json.loads((STATE / "orders.json").read_text()) if (STATE / "orders.json").exists() else {}
"""``ends_after_s`` with ``says``: fail by itself; ``term_takes_s``: end slowly; ``files``: whose headers to mark."""


def end(code: int) -> NoReturn:
    (STATE / "exit").write_text(str(code))
    os._exit(code)


def on_term(number: int, frame: FrameType | None) -> None:
    del number, frame
    time.sleep(ORDERS.get("term_takes_s", 0))
    for path in ORDERS.get("files", []):
        with Path(path).open("r+b") as file:
            file.seek(FLAGS_OFFSET)
            file.write(b"\x01")
    end(0)


signal.signal(signal.SIGTERM, on_term)
if "ends_after_s" in ORDERS:
    time.sleep(ORDERS["ends_after_s"])
    if log := ORDERS.get("log"):
        with Path(log).open("a") as file:
            file.write(f"{ORDERS['says']}\n")
    end(ORDERS.get("code", 1))
if "--config-file" not in sys.argv:
    end(2)
while True:
    time.sleep(60)
