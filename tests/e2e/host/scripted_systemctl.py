"""A systemctl for tests: one unit, a loaded state that only a reload renews, and a process that is named asd.

``python scripted_systemctl.py ROOT verb …``; its state is in ``ROOT/systemd``.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
STATE = ROOT / "systemd"
UNIT = "aerospike.service"
OWN = ROOT / "usr/lib/systemd/system" / UNIT
ETC = ROOT / "etc/systemd/system" / UNIT
DROP_INS = ETC.with_name(UNIT + ".d")
FALL = STATE / "fails"
"""Verbs that fail, one on each line, with what they say."""


def fragments() -> list[Path]:
    own = ETC if ETC.is_file() and not ETC.is_symlink() else OWN
    return [own, *sorted(DROP_INS.glob("*.conf"))]


def masked() -> bool:
    return ETC.is_symlink()


def reload() -> int:
    command = ""
    for path in fragments():
        for line in path.read_text().splitlines():
            if line.startswith("ExecStart="):
                command = line.partition("=")[2]
    (STATE / "loaded.json").write_text(json.dumps({"masked": masked(), "command": command}))
    return 0


def loaded() -> dict[str, object]:
    if not (STATE / "loaded.json").exists():
        reload()
    return dict(json.loads((STATE / "loaded.json").read_text()))


def pid() -> int:
    file = STATE / "pid"
    number = int(file.read_text()) if file.exists() else 0
    alive = number and Path(f"/proc/{number}/cmdline").exists() and Path(f"/proc/{number}/cmdline").read_bytes()
    return number if alive else 0


def active() -> str:
    if pid():
        return "deactivating" if (STATE / "stopping").exists() else "active"
    ended = STATE / "exit"
    if (STATE / "pid").exists() and (not ended.exists() or ended.read_text() != "0"):
        return "failed"
    return "inactive"


def start() -> int:
    if loaded()["masked"]:
        sys.stderr.write(f"Failed to start {UNIT}: Unit {UNIT} is masked.\n")
        return 1
    if pid():
        return 0
    for name in ("exit", "stopping"):
        (STATE / name).unlink(missing_ok=True)
    text = str(loaded()["command"]).replace("$ASD_OPTIONS", "")
    words = shlex.split(text.replace("$ASD_CONFIG_FILE", str(ROOT / "etc/aerospike/aerospike.conf")))
    dummy = str(Path(__file__).with_name("dummy_asd.py"))
    process = subprocess.Popen(
        ["asd", dummy, *words[1:]],
        executable=sys.executable,
        env={**os.environ, "PYTHONHOME": sys.base_prefix, "DUMMY_STATE": str(STATE)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    (ROOT / "proc" / str(process.pid)).symlink_to(f"/proc/{process.pid}")
    (STATE / "pid").write_text(str(process.pid))
    with (STATE / "pids").open("a") as log:
        log.write(f"{process.pid}\n")
    return 0


def stop() -> int:
    if (number := pid()) and not (STATE / "stopping").exists():
        (STATE / "stopping").touch()
        os.kill(number, signal.SIGTERM)
    return 0


def mask() -> int:
    if ETC.exists() and not masked():
        sys.stderr.write(f"Failed to mask unit: File {ETC} already exists.\n")
        return 1
    if not masked():
        ETC.parent.mkdir(parents=True, exist_ok=True)
        ETC.symlink_to("/dev/null")
    return 0


def unmask() -> int:
    if masked():
        ETC.unlink()
    return 0


def cat() -> int:
    if masked():
        return said(f"# Unit {UNIT} is masked.", 0)
    return said("\n".join(f"# /{path.relative_to(ROOT)}\n{path.read_text()}" for path in fragments()), 0)


def reset_failed() -> int:
    if not pid():
        (STATE / "pid").unlink(missing_ok=True)
    return 0


def show() -> int:
    restarts = STATE / "restarts"
    return said("NRestarts=" + (restarts.read_text() if restarts.exists() else "0"), 0)


def said(text: str, code: int) -> int:
    sys.stdout.write(text + "\n")
    return code


def main() -> int:
    options = [word for word in sys.argv[2:] if word.startswith("-")]
    verb = next(word for word in sys.argv[2:] if not word.startswith("-"))
    with (STATE / "calls").open("a") as log:
        log.write(" ".join(sys.argv[2:]) + "\n")
    broken = dict(line.split(" ", 1) for line in FALL.read_text().splitlines()) if FALL.exists() else {}
    if verb in broken:
        sys.stderr.write(broken[verb] + "\n")
        return 1
    verbs = {
        "is-active": lambda: said(active(), 0 if active() == "active" else 3),
        "is-enabled": lambda: said("masked" if masked() else "enabled", int(masked())),
        "show": show,
        "mask": mask,
        "unmask": unmask,
        "daemon-reload": reload,
        "start": start,
        "stop": stop,
        "cat": cat,
        "reset-failed": reset_failed,
    }
    loaded()
    code = verbs[verb]()
    if verb in ("mask", "unmask") and "--no-reload" not in options:
        reload()
    return code


if __name__ == "__main__":
    sys.exit(main())
