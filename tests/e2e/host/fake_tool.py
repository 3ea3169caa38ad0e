"""A stand-in for asbackup, asrestore or aws on a test host: does as ``fakes.json`` says, and logs what it saw.

Started as ``fake_tool.py <root> <name> <arguments…>``. An export is lines ``record <n>``, after ``index`` and ``udf``.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT, NAME, ARGUMENTS = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
ORDERS: dict[str, Any] = json.loads((ROOT / "fakes.json").read_text())


def option(*names: str) -> str | None:
    return next((ARGUMENTS[ARGUMENTS.index(name) + 1] for name in names if name in ARGUMENTS), None)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def log(**seen: object) -> None:
    line = json.dumps({"name": NAME, "arguments": ARGUMENTS, "pid": os.getpid(), **seen}) + "\n"
    descriptor = os.open(ROOT / "calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def die(how: str) -> None:
    match how:
        case "fail":
            complain("[ERR] it went wrong")
            sys.exit(1)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "no_space":
            complain("[ERR] Error while writing: No space left on device")
            sys.exit(1)
        case "hang":
            while True:
                time.sleep(60)
        case "fork and hang":
            if os.fork() == 0:
                log(forked=True)
            while True:
                time.sleep(60)


def behaviour(subject: str) -> str:
    """Take the next of a subject's behaviours; the last one stays."""
    found = ORDERS.get(f"{NAME} {subject}", ORDERS.get(NAME, "succeed"))
    if isinstance(found, str):
        return found
    times = ROOT / f"times.{NAME}.{subject.replace('/', '_')}"
    done = int(times.read_text()) if times.exists() else 0
    times.write_text(str(done + 1))
    return str(found[min(done, len(found) - 1)])


def machine(*lines: str) -> None:
    path = option("-m")
    if path:
        with Path(path).open("a") as file:
            file.writelines(line + "\n" for line in lines)


def backup() -> None:
    namespace = option("-n") or ""
    records = int(ORDERS.get("records", 1000))
    how = behaviour(namespace)
    log(zone=os.environ.get("TZ"), key=os.environ.get("AEROKEEP_TRANSFER_KEY"), nice=os.nice(0))
    if how != "mute":
        # Of the silent sample that a backup to one file begins with.
        machine("ESTIMATE:12345:711", "SUMMARY:10:0:0:1000:100")
    if "-e" in ARGUMENTS:
        die(how)
        return
    head = [] if "--no-indexes" in ARGUMENTS else ["index a", "index b", "udf m.lua"]
    lines = [*head, *(f"record {number}" for number in range(records))]
    if "text" in ORDERS:
        lines = (ROOT / ORDERS["text"]).read_text().removesuffix("\n").split("\n")
    half = len(lines) // 2
    write = writer_of(namespace)
    write(lines[:half], 0)
    machine("PROGRESS:50", "REMAINING:1m40s")
    complain("2026-01-01 00:00:00 GMT [INF] [1] 50% complete (~12 KiB/s, ~178846 rec/s, ~711 B/rec)")
    (ROOT / f"half.{namespace}").touch()
    die(how)
    if how == "slow":
        time.sleep(2.0)
    write(lines[half:], 1)
    if how == "silent":
        return
    size = sum(len(line) + 1 for line in lines)
    indexes, udfs = (2, 1) if head else (0, 0)
    done = f"Backed up {records} record(s), {indexes} secondary index(es), {udfs} UDF file(s)"
    complain(f"[INF] {done}, {size} byte(s) in total (~711 B/rec)")
    machine("PROGRESS:100", f"SUMMARY:{records}:{indexes}:{udfs}:{size}:711")


def writer_of(namespace: str) -> Callable[[list[str], int], None]:
    folder = option("-d")
    if folder is None:
        return lambda lines, _: say("\n".join(lines))
    home = Path(folder)

    def write(lines: list[str], index: int) -> None:
        (home / f"{namespace}_{index:05d}.asb").write_text("\n".join(lines) + "\n")

    return write


def restore() -> None:
    if "--help" in ARGUMENTS:
        say("--validate" if ORDERS.get("validate") else "no more")
        return
    target = (option("-n") or "").split(",")[-1]
    how = behaviour(target)
    log(began=True, key=os.environ.get("AEROKEEP_TRANSFER_KEY"))
    if how in ("fail", "kill", "hang", "fork and hang"):
        sys.stdin.buffer.read(64)
        die(how)
    folder = option("-d")
    if folder is not None:
        lines = [line for path in sorted(Path(folder).glob("*.asb")) for line in path.read_text().splitlines()]
    else:
        lines = sys.stdin.buffer.read().decode().splitlines()
    words = [line.split()[0] for line in lines if line]
    records = words.count("record")
    log(whole=True, records=records, zone=os.environ.get("TZ"))
    if how == "silent":
        return
    ignored = records if how == "ignore" else 0
    head = f"{words.count('udf')}:{words.count('index')}:{records}:0:0:{ignored}"
    machine("PROGRESS:100", f"SUMMARY:{head}:{records - ignored} :0:0")


def aws() -> None:
    log()
    if ARGUMENTS[:2] == ["configure", "list"]:
        key = (
            "<not set>             None    None"
            if ORDERS.get("no_credentials")
            else "****************MPLE              env"
        )
        say(f"      Name                    Value             Type    Location\naccess_key     {key}")
    elif ARGUMENTS[0] == "secretsmanager":
        secret = ORDERS.get("secrets", {}).get(option("--secret-id"))
        if secret is None:
            complain("An error occurred (ResourceNotFoundException)")
            sys.exit(254)
        say(secret)
    else:
        copy(ARGUMENTS[2], ARGUMENTS[3])


def copy(source: str, target: str) -> None:
    uri = target if source == "-" else source
    path = ROOT / "vault" / uri.removeprefix("s3://")
    how = behaviour(path.name)
    if source == "-":
        upload(path, how)
        return
    if not path.exists():
        complain("fatal error: An error occurred (404)")
        sys.exit(1)
    content = path.read_bytes()
    if how == "damage":
        content = content[:-1] + bytes([content[-1] ^ 1])
    elif how != "succeed":
        # What is cut off at a record's end would look whole to whoever reads it.
        sys.stdout.buffer.write(content[: len(content) // 2])
        sys.stdout.buffer.flush()
        (ROOT / f"sending.{path.name}").touch()
        if how != "cut":
            die(how)
        return
    sys.stdout.buffer.write(content)


def upload(path: Path, how: str) -> None:
    def interrupted(number: int, _: object) -> None:
        log(interrupted=number)
        sys.exit(130)

    signal.signal(signal.SIGINT, interrupted)
    (ROOT / f"uploading.{path.name}").touch()
    if how == "forbid":
        complain("upload failed: An error occurred (AccessDenied)")
        sys.exit(1)
    content = sys.stdin.buffer.read(64) if how in ("fail", "kill") else sys.stdin.buffer.read()
    die(how)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_bytes(content)
    draft.rename(path)
    log(whole=True, bytes=len(content))


if "--version" in ARGUMENTS:
    say("Aerospike Backup Utility\nVersion 4.5.8\nC Client Version 6.6.4")
else:
    {"asbackup": backup, "asrestore": restore, "aws": aws}[NAME]()
