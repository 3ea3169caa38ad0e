"""A cut is one instant for all volumes of a node."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.dataplane import DataPlane
from tests.e2e.dataplane.sequence_writer import BLOCK_BYTES, BLOCKS, newest, order_violations

NODE = "i-0aaaaaaaaaaaaaaa1"
VOLUMES = [f"vol-0aaaaaaaaaaaaaaa{number}" for number in range(6)]
CUTS = 20
SPAN_BYTES = BLOCKS * BLOCK_BYTES


@contextmanager
def writing(plane: DataPlane) -> Iterator[subprocess.Popen[bytes]]:
    """A node with six raw volumes and dependent writes across them."""
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    for number, volume in enumerate(VOLUMES):
        plane.create_volume(volume, size_bytes=16 << 20)
        plane.attach(volume, NODE, device=f"/dev/sd{'fghijk'[number]}")
    program = plane.shared / "sequence_writer.py"
    shutil.copy(Path(__file__).with_name("sequence_writer.py"), program)
    devices = [plane.device_path(NODE, f"/dev/sd{letter}") for letter in "fghijk"]
    writer = plane.spawn(NODE, [sys.executable, str(program), *devices])
    try:
        _wait_for_writes(plane)
        yield writer
        assert writer.poll() is None, "the writer died"
    finally:
        writer.kill()
        writer.wait()


def _wait_for_writes(plane: DataPlane) -> None:
    deadline = time.monotonic() + 20
    for attempt in range(10_000):
        plane.cut_volume(VOLUMES[-1], f"wait-{attempt}")
        number = newest(plane.read_snapshot(f"wait-{attempt}", offset=0, length=SPAN_BYTES))
        plane.delete_snapshot(f"wait-{attempt}")
        if number > 1:
            return
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.02)


def _numbers(plane: DataPlane, snapshots: list[str]) -> list[int]:
    return [newest(plane.read_snapshot(name, offset=0, length=SPAN_BYTES)) for name in snapshots]


def test_an_atomic_cut_of_all_volumes_never_shows_a_later_write_without_the_earlier(plane: DataPlane) -> None:
    seen = []
    with writing(plane):
        for cut in range(CUTS):
            members = {volume: f"snap-{cut}-{volume}" for volume in VOLUMES}
            plane.cut(NODE, members)
            seen.append(_numbers(plane, list(members.values())))
            time.sleep(0.02)
    assert len({numbers[0] for numbers in seen}) > CUTS // 2, "the writer must write on between the cuts"
    assert [order_violations(numbers) for numbers in seen] == [0] * CUTS, seen


def test_clones_one_after_the_other_are_not_atomic_and_this_test_would_see_it(plane: DataPlane) -> None:
    violations = 0
    with writing(plane):
        for cut in range(CUTS):
            names = []
            for volume in VOLUMES:
                plane.cut_volume(volume, f"snap-{cut}-{volume}")
                names.append(f"snap-{cut}-{volume}")
                time.sleep(0.005)  # as requests for one volume after the other would come
            violations += order_violations(_numbers(plane, names))
    assert violations > 0


@pytest.mark.root
def test_an_atomic_cut_waits_neither_for_a_freeze_nor_for_the_writers_behind_it(namespaces_plane: DataPlane) -> None:
    plane = namespaces_plane
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    plane.create_volume(VOLUMES[0], size_bytes=128 << 20)
    plane.attach(VOLUMES[0], NODE, device="/dev/sdf")
    plane.format_and_mount(NODE, "/dev/sdf", "/data")
    writer = plane.spawn(NODE, ["sh", "-c", "echo kept >/data/kept; while :; do date >>/data/more; done"])
    time.sleep(0.2)
    assert plane.spawn(NODE, ["fsfreeze", "-f", "/data"]).wait() == 0
    began = time.monotonic()
    plane.cut(NODE, {VOLUMES[0]: "snap-frozen"})
    took_s = time.monotonic() - began
    assert plane.spawn(NODE, ["fsfreeze", "-u", "/data"]).wait() == 0, "it was still frozen after the cut"
    writer.kill()
    writer.wait()
    assert took_s < 5
    assert _read_back(plane, "snap-frozen", "kept") == b"kept\n"


@pytest.mark.root
def test_a_cut_without_freeze_lacks_what_was_not_synced(namespaces_plane: DataPlane) -> None:
    plane = namespaces_plane
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    plane.create_volume(VOLUMES[0], size_bytes=128 << 20)
    plane.attach(VOLUMES[0], NODE, device="/dev/sdf")
    plane.format_and_mount(NODE, "/dev/sdf", "/data")
    script = "echo synced >/data/synced; sync -f /data/synced; echo lost >>/data/synced"
    assert plane.spawn(NODE, ["sh", "-c", script]).wait() == 0
    plane.cut(NODE, {VOLUMES[0]: "snap-crash"})
    assert _read_back(plane, "snap-crash", "synced") == b"synced\n"


def _read_back(plane: DataPlane, snapshot: str, name: str) -> bytes:
    other = "i-0bbbbbbbbbbbbbbb1"
    plane.add_node(other, private_ip=plane.node_ip(1))
    plane.create_volume("vol-copy", size_bytes=128 << 20, snapshot_id=snapshot)
    plane.attach("vol-copy", other, device="/dev/sdf")
    plane.format_and_mount(other, "/dev/sdf", "/copy", format=False)
    reader = plane.spawn(other, ["cat", f"/copy/{name}"], stdout=subprocess.PIPE)
    return reader.communicate()[0]
