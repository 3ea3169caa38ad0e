"""Nothing of a run is left behind, however it ended."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from sandbox.dataplane import DataPlane, probe
from sandbox.dataplane.processes import marked, mounts, pids
from sandbox.dataplane.run_id import MARK, RunId
from sandbox.dataplane.sweep import loops_of
from tests.e2e.dataplane.killed_run import NODE

REPOSITORY = Path(__file__).parents[3]


def leftovers(workdir: Path) -> list[str]:
    """Everything of a run that is still there, in words."""
    run = RunId.find(workdir.name)
    assert run is not None
    found = [f"process {pid}" for pid in marked(**{MARK: run.prefix})]
    found += [f"loop {device}" for device in loops_of(run).values()]
    found += [f"mount {m.mount_point} of {pid}" for pid in pids() for m in mounts(pid) if run.prefix in m.text]
    links = {workdir, Path(tempfile.gettempdir()) / run.prefix}
    return found + [f"folder {path}" for path in links if path.exists()]


def killed_run(mode: str, state: str) -> Path:
    if mode == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    script = [sys.executable, str(Path(__file__).with_name("killed_run.py")), mode, state]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(script, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    return Path(done.stdout.decode().strip())


def clean(*options: str) -> str:
    argv = [sys.executable, "-m", "sandbox.clean", *options]
    return subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True, timeout=60).stdout.decode()


def test_no_leftovers_after_close_even_of_a_frozen_node(plane: DataPlane) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    plane.create_volume("vol-1", size_bytes=128 << 20)
    plane.attach("vol-1", NODE, device="/dev/sdf")
    where = plane.format_and_mount(NODE, "/dev/sdf", "/data")
    writer = plane.spawn(NODE, ["sh", "-c", f"while :; do date >>{where}/file; done"])
    if plane.mode == "namespaces":
        time.sleep(0.1)
        assert plane.spawn(NODE, ["fsfreeze", "-f", where]).wait() == 0
    assert leftovers(plane.workdir) != []
    plane.close()
    plane.close()
    assert leftovers(plane.workdir) == []
    assert writer.returncode == -signal.SIGKILL


@pytest.mark.root
def test_no_leftovers_but_a_folder_when_the_owner_is_killed_and_nothing_is_frozen() -> None:
    workdir = killed_run("namespaces", "none")
    deadline = time.monotonic() + 30  # pid 1 of some machines reaps only every few seconds
    while leftovers(workdir) != [f"folder {workdir}"]:
        assert time.monotonic() < deadline, leftovers(workdir)
        time.sleep(0.1)
    assert f"folder {workdir}" in clean()
    assert leftovers(workdir) == []


@pytest.mark.root
@pytest.mark.parametrize("state", ["none", "frozen", "frozen-writer"])
def test_no_leftovers_of_a_killed_namespaces_run_after_clean(state: str) -> None:
    workdir = killed_run("namespaces", state)
    if state != "none":
        time.sleep(3)  # long enough for everything to go that goes by itself
        assert any(line.startswith("loop") for line in leftovers(workdir)), "a freeze must have kept something"
    said = clean()
    assert leftovers(workdir) == []
    assert ("freeze" in said) == (state != "none")


def test_no_leftovers_of_a_killed_directory_run_after_clean() -> None:
    workdir = killed_run("directory", "none")
    assert any(line.startswith("process") for line in leftovers(workdir))
    clean()
    assert leftovers(workdir) == []


def test_clean_leaves_a_living_run_alone_and_says_so(plane: DataPlane) -> None:
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    sleeper = plane.spawn(NODE, ["sleep", "600"])
    assert f"left alone: {plane.workdir.name}" in clean()
    assert sleeper.poll() is None
    assert plane.workdir.is_dir()
