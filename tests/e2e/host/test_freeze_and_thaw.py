"""Freezing for real: an ext4 on a loop device, the real fsfreeze, and thaws that never fail to come."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.host.a_host import Host
from tests.e2e.host.loop_filesystem import LoopFilesystem

pytestmark = pytest.mark.root


def freeze_of(host: Host) -> str:
    return str(host.data)


def late_freeze(host: Host, seconds: float) -> None:
    """Put a fsfreeze on PATH that waits before it really freezes, as one does behind a long write."""
    real = shutil.which("fsfreeze")
    host.program_on_path("fsfreeze", f'[ "$1" = -u ] || sleep {seconds}\nexec {real} "$@"\n')


def test_a_filesystem_is_frozen_within_the_window_and_thawed_before_the_lift(
    mounted_host: Host, filesystem: LoopFilesystem
) -> None:
    host = mounted_host
    code, armed = host.stop(lease_s=8.0, Freeze=freeze_of(host))
    assert code == 0, armed
    host.wait_for_state("holding")
    assert not filesystem.takes_writes()
    evidence = host.resume()["evidence"]
    assert evidence["errors"] == []
    assert evidence["ended_by"] == "resume"
    times = evidence["times"]
    instants = [times[name] for name in ("guarded", "flushed", "frozen", "thaw_started", "thawed", "lift_started")]
    assert instants == sorted(instants)
    mount = evidence["mounts"][freeze_of(host)]
    assert mount["held"]
    assert mount["frozen"] < mount["thawed"]
    assert evidence["synced"] == {}
    assert filesystem.takes_writes()
    assert not filesystem.is_frozen()
    assert host.is_as_before()


def test_a_frozen_filesystem_whose_controller_vanished_is_thawed_at_t1(
    mounted_host: Host, filesystem: LoopFilesystem
) -> None:
    host = mounted_host
    _, armed = host.stop(Freeze=freeze_of(host))
    evidence = host.evidence()
    assert evidence["ended_by"] == "lease"
    assert evidence["mounts"][freeze_of(host)]["held"]
    assert evidence["times"]["thawed"] < armed["end_at"] + 0.5
    assert not filesystem.is_frozen()


def test_a_freeze_that_succeeds_after_the_thaw_was_refused_is_thawed_all_the_same(
    mounted_host: Host, filesystem: LoopFilesystem
) -> None:
    host = mounted_host
    late_freeze(host, 4.0)
    _, armed = host.stop(Freeze=freeze_of(host))
    evidence = host.evidence()
    mount = evidence["mounts"][freeze_of(host)]
    assert evidence["ended_by"] == "lease"
    assert evidence["times"]["frozen"] is None
    assert mount["frozen"] is not None, "the freeze did succeed"
    assert evidence["times"]["thaw_started"] < armed["end_at"] + 0.5 < mount["frozen"], "a thaw was refused before it"
    assert mount["frozen"] - 0.5 < mount["thawed"]
    assert not mount["held"]
    assert evidence["times"]["lift_started"] < mount["frozen"], "writes did not wait for the late freeze"
    assert not filesystem.is_frozen()
    assert host.is_as_before()


def test_a_killed_resident_with_a_late_freeze_is_undone_by_its_keeper(
    mounted_host: Host, filesystem: LoopFilesystem
) -> None:
    host = mounted_host
    # The keeper finds freezing processes by their arguments: show it the machine's processes.
    late_freeze(host, 3.0)
    host.stop(lease_s=20.0, Freeze=freeze_of(host))
    intent = host.wait_for_state("freezing")
    until = time.monotonic() + 5.0
    while not (freezers := _freezers(freeze_of(host))):
        assert time.monotonic() < until
        time.sleep(0.01)
    for pid in freezers:
        (host.root / "proc" / str(pid)).symlink_to(f"/proc/{pid}")
    os.kill(intent["resident"], signal.SIGKILL)
    evidence = host.evidence(within_s=15.0)
    assert evidence["ended_by"] == "failure"
    assert evidence["mounts"][freeze_of(host)]["thawed"] is not None
    assert not filesystem.is_frozen()
    assert host.is_as_before()


def test_a_freeze_that_fails_is_made_good_by_a_sync(mounted_host: Host, filesystem: LoopFilesystem) -> None:
    host = mounted_host
    host.program_on_path("fsfreeze", 'echo "freeze failed: no" >&2\nexit 1\n')
    host.stop(lease_s=6.0, Freeze=freeze_of(host))
    host.wait_for_state("holding")
    evidence = host.resume()["evidence"]
    assert evidence["times"]["frozen"] is None
    assert list(evidence["synced"]) == [str(host.file)]
    assert any("freeze failed: no" in error["detail"] for error in evidence["errors"])
    assert filesystem.takes_writes()


def test_a_set_config_that_hangs_while_the_work_directory_is_frozen_is_lifted_after_the_thaw(
    mounted_host: Host, filesystem: LoopFilesystem
) -> None:
    host = mounted_host

    def write_first(_name: str, _setting: str, _value: str) -> None:
        # As a real server whose log lies on the frozen filesystem.
        with (filesystem.mount_point / "aerospike.log").open("a") as log:
            log.write("set-config\n")
            log.flush()
            os.fsync(log.fileno())

    host.server.before_set = write_first
    host.stop(lease_s=8.0, Freeze=freeze_of(host))
    host.wait_for_state("holding")
    assert host.resume()["state"] == "resumed"
    assert host.is_as_before()


def test_a_foreign_mount_over_the_mount_point_is_not_frozen(mounted_host: Host, filesystem: LoopFilesystem) -> None:
    host = mounted_host
    host.stop(lease_s=6.0, lead_s=3.0, Freeze=freeze_of(host))
    subprocess.run(["mount", "-t", "tmpfs", "aerokeep", str(filesystem.mount_point)], check=True)
    try:
        evidence = host.evidence()
    finally:
        subprocess.run(["umount", str(filesystem.mount_point)], check=True)
    assert any("another filesystem is mounted now" in error["detail"] for error in evidence["errors"])
    assert evidence["times"]["frozen"] is None


def _freezers(mount_point: str) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if mount_point in arguments and any(argument.endswith("fsfreeze") for argument in arguments):
            found.append(int(process.name))
    return found
