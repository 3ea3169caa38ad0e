"""The systemctl of sandbox nodes starts, stops and masks as systemd does, in its words and with its exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.systemd.service import Service
from sandbox.systemd.units import UnitFiles

REPOSITORY = Path(__file__).resolve().parents[3]
UNIT = "aerospike.service"
FOLDER = "etc/systemd/system"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A node's tree in which ``asd`` is a program that says how it was called and waits."""
    for name in ("bin", "etc/aerospike", "proc", "run"):
        (tmp_path / name).mkdir(parents=True)
    asd = tmp_path / "bin/asd"
    asd.write_text(f'#!/bin/sh\necho "$0 $*"\n[ -e {tmp_path}/broken ] && exit 7\nexec sleep 600\n')
    asd.chmod(0o755)
    yield tmp_path
    for file in tmp_path.glob("run/units/*/process.json"):
        told = json.loads(file.read_text())
        if not told["result"]:
            os.kill(told["pid"], signal.SIGKILL)


@pytest.fixture
def files(root: Path) -> UnitFiles:
    return UnitFiles(root)


def systemctl(root: Path, *argv: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "sandbox.systemd", *argv],
        cwd=REPOSITORY,
        env={"AEROKEEP_ROOT": str(root), "PATH": f"{root}/bin:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout.decode().rstrip("\n")


def drop_in(root: Path, text: str, name: str = "first-start.conf") -> None:
    folder = root / FOLDER / f"{UNIT}.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def properties(root: Path, *names: str) -> dict[str, str]:
    code, words = systemctl(root, "show", "-p", ",".join(names), "aerospike")
    assert code == 0
    return dict(line.partition("=")[::2] for line in words.splitlines())


def told(root: Path) -> str:
    console = root / "run/units" / UNIT / "console.log"
    deadline = time.monotonic() + 10
    while not (console.exists() and console.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return console.read_text().splitlines()[-1]


class TestMask:
    """Masks, enablement and the first boot."""

    def test_a_masked_unit_is_not_started_and_says_so(self, root: Path) -> None:
        code, words = systemctl(root, "mask", "aerospike")
        assert (code, "→ /dev/null" in words) == (0, True)
        assert (root / FOLDER / UNIT).readlink() == Path("/dev/null")
        expected = f"Failed to start {UNIT}: Unit {UNIT} is masked."
        assert systemctl(root, "start", "aerospike") == (1, expected)
        assert systemctl(root, "is-enabled", "aerospike") == (1, "masked")
        assert systemctl(root, "mask", "aerospike") == (0, "")
        assert properties(root, "LoadState", "UnitFileState") == {"LoadState": "masked", "UnitFileState": "masked"}
        assert systemctl(root, "default") == (0, "")
        assert properties(root, "ActiveState") == {"ActiveState": "inactive"}
        assert systemctl(root, "unmask", "aerospike")[0] == 0
        assert systemctl(root, "start", "aerospike") == (0, "")

    def test_a_unit_that_runs_goes_on_when_it_is_masked_and_can_be_stopped(self, root: Path) -> None:
        systemctl(root, "start", "aerospike")
        systemctl(root, "mask", "aerospike")
        assert systemctl(root, "is-active", "aerospike") == (0, "active")
        assert systemctl(root, "stop", "aerospike") == (0, "")
        assert systemctl(root, "is-active", "aerospike") == (3, "inactive")

    def test_a_mask_without_a_reload_leaves_what_is_loaded(self, root: Path) -> None:
        systemctl(root, "start", "aerospike")
        systemctl(root, "mask", "--no-reload", "aerospike")
        assert properties(root, "LoadState", "TimeoutStopUSec") == {"LoadState": "loaded", "TimeoutStopUSec": "10min"}
        systemctl(root, "daemon-reload")
        told = {"LoadState": "masked", "TimeoutStopUSec": "1min 30s"}
        assert properties(root, "LoadState", "TimeoutStopUSec") == told

    def test_the_first_boot_enables_what_the_package_brings_and_a_later_one_leaves_it_disabled(
        self, root: Path
    ) -> None:
        assert systemctl(root, "is-enabled", "aerospike") == (0, "enabled")
        systemctl(root, "disable", "aerospike")
        systemctl(root, "default")
        assert systemctl(root, "is-enabled", "aerospike") == (1, "disabled")
        assert systemctl(root, "is-active", "aerospike") == (3, "inactive")
        systemctl(root, "enable", "aerospike")
        systemctl(root, "default")
        assert systemctl(root, "is-active", "aerospike") == (0, "active")


class TestUnknown:
    """What does not exist is refused with the exit codes of the real one."""

    @pytest.mark.parametrize(
        ("verb", "code", "words"),
        [
            ("start", 5, "Failed to start none.service: Unit none.service not found."),
            ("stop", 5, "Failed to stop none.service: Unit none.service not loaded."),
            ("is-active", 4, "inactive"),
            ("status", 4, "Unit none.service could not be found."),
            ("cat", 1, "No files found for none.service."),
            ("is-enabled", 1, "Failed to get unit file state for none.service: No such file or directory"),
        ],
    )
    def test_a_unit_that_does_not_exist(self, root: Path, verb: str, code: int, words: str) -> None:
        assert systemctl(root, verb, "none") == (code, words)

    def test_a_verb_or_an_option_that_does_not_exist(self, root: Path) -> None:
        assert systemctl(root, "fly")[0] == 1
        assert systemctl(root, "--fly", "start", "aerospike")[0] == 1
        assert systemctl(root, "start") == (1, "Too few arguments.")


class TestService:
    """Processes."""

    def test_a_start_runs_the_units_command_and_a_stop_ends_it_cleanly(self, root: Path) -> None:
        assert systemctl(root, "start", "aerospike") == (0, "")
        assert told(root) == f"{root}/bin/asd --config-file {root}/etc/aerospike/aerospike.conf --fgdaemon"
        shown = properties(root, "ActiveState", "SubState", "MainPID", "Result")
        pid = int(shown.pop("MainPID"))
        assert shown == {"ActiveState": "active", "SubState": "running", "Result": "success"}
        assert os.getsid(pid) != os.getsid(0)
        assert (root / "proc" / str(pid)).readlink() == Path(f"/proc/{pid}")
        assert systemctl(root, "start", "aerospike") == (0, "")
        assert properties(root, "MainPID") == {"MainPID": str(pid)}
        assert systemctl(root, "stop", "aerospike") == (0, "")
        assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
        shown = properties(root, "ActiveState", "MainPID", "Result", "ExecMainStatus")
        assert shown == {"ActiveState": "inactive", "MainPID": "0", "Result": "success", "ExecMainStatus": "15"}

    def test_a_process_that_is_killed_or_ends_badly_leaves_a_failed_unit(self, root: Path) -> None:
        systemctl(root, "start", "aerospike")
        assert systemctl(root, "kill", "-s", "KILL", "aerospike") == (0, "")
        assert systemctl(root, "is-failed", "aerospike") == (0, "failed")
        assert properties(root, "Result", "ExecMainStatus") == {"Result": "signal", "ExecMainStatus": "9"}
        (root / "broken").touch()
        assert systemctl(root, "start", "aerospike") == (0, "")
        assert systemctl(root, "is-active", "aerospike") == (3, "failed")
        assert properties(root, "Result", "ExecMainStatus") == {"Result": "exit-code", "ExecMainStatus": "7"}
        assert systemctl(root, "reset-failed") == (0, "")
        assert systemctl(root, "is-active", "aerospike") == (3, "inactive")

    def test_a_drop_in_counts_after_a_reload_and_no_longer_when_it_is_gone(self, root: Path) -> None:
        systemctl(root, "daemon-reload")
        drop_in(root, "[Service]\nEnvironment=ASD_CONFIG_FILE=/etc/aerospike/first.conf ASD_OPTIONS=--cold-start\n")
        assert properties(root, "NeedDaemonReload", "DropInPaths") == {"NeedDaemonReload": "yes", "DropInPaths": ""}
        code, words = systemctl(root, "start", "aerospike")
        assert (code, "daemon-reload" in words) == (0, True)
        assert "aerospike.conf" in told(root)
        systemctl(root, "daemon-reload")
        assert "first.conf" in systemctl(root, "cat", "aerospike")[1]
        systemctl(root, "restart", "aerospike")
        assert told(root).endswith(f"asd --cold-start --config-file {root}/etc/aerospike/first.conf --fgdaemon")
        shutil.rmtree(root / FOLDER / f"{UNIT}.d")
        systemctl(root, "daemon-reload")
        assert properties(root, "DropInPaths", "Environment") == {
            "Environment": "ASD_CONFIG_FILE=/etc/aerospike/aerospike.conf",
            "DropInPaths": "",
        }

    def test_a_stop_without_blocking_is_seen_while_it_lasts(self, root: Path) -> None:
        (root / "bin/asd").write_text("#!/bin/sh\ntrap 'sleep 1; exit 0' TERM\nwhile :; do sleep 0.05; done\n")
        systemctl(root, "start", "aerospike")
        assert systemctl(root, "stop", "--no-block", "aerospike") == (0, "")
        assert systemctl(root, "is-active", "aerospike") == (3, "deactivating")
        assert systemctl(root, "stop", "aerospike") == (0, "")
        assert systemctl(root, "is-active", "aerospike") == (3, "inactive")

    def test_a_stop_that_takes_too_long_is_a_kill(self, root: Path) -> None:
        (root / "bin/asd").write_text("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n")
        drop_in(root, "[Service]\nTimeoutStopSec=300ms\n")
        systemctl(root, "start", "aerospike")
        systemctl(root, "stop", "aerospike")
        assert properties(root, "ActiveState", "Result") == {"ActiveState": "failed", "Result": "timeout"}

    def test_a_program_that_does_not_exist_fails_the_unit_but_not_the_start(self, root: Path) -> None:
        drop_in(root, "[Service]\nExecStart=\nExecStart=/none/such\n")
        assert systemctl(root, "start", "aerospike") == (0, "")
        assert properties(root, "Result", "ExecMainStatus") == {"Result": "exit-code", "ExecMainStatus": "203"}

    def test_a_shutdown_ends_every_service(self, root: Path, files: UnitFiles) -> None:
        systemctl(root, "default")
        assert Service(files, UNIT).state().active == "active"
        assert systemctl(root, "poweroff") == (0, "")
        assert Service(files, UNIT).state().active == "inactive"
