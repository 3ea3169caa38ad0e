"""Under a frozen filesystem the stand-in behaves as measured: it serves, but settings hang until the thaw."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aerospike
import pytest
from aerospike import exception

from tests.e2e.standin.standin_cluster import StandinNode, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

GUARD = "set-config:context=namespace;id=test;reject-non-xdr-writes="
SIZE = "192M"


def run(*argv: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, check=True, capture_output=True, timeout=30)


def missing() -> str | None:
    """Return why a filesystem can't be made and frozen here."""
    absent = [name for name in ("mkfs.ext4", "losetup", "mount", "fsfreeze") if shutil.which(name) is None]
    if absent:
        return f"needs {', '.join(absent)}"
    with tempfile.NamedTemporaryFile(prefix="aerokeep-probe-") as image:
        image.truncate(1 << 20)
        try:
            device = run("losetup", "--find", "--show", image.name).stdout.decode().strip()
        except subprocess.CalledProcessError as error:
            return f"needs loop devices (root): {error.stderr.decode().strip()}"
        run("losetup", "--detach", device)
    return None


@pytest.fixture
def mounted() -> Iterator[Path]:
    """An ext4 of its own on a loop device, thawed and unmounted whatever happens."""
    if reason := missing():
        pytest.skip(f"{reason}; run as root: make test K=frozen")
    folder = Path(tempfile.mkdtemp(prefix="aerokeep-frozen-"))
    image, mount = folder / "aerokeep-standin.img", folder / "mnt"
    mount.mkdir()
    run("truncate", "-s", SIZE, str(image))
    run("mkfs.ext4", "-q", str(image))
    run("mount", "-o", "loop", str(image), str(mount))
    yield mount
    with contextlib.suppress(subprocess.CalledProcessError):
        run("fsfreeze", "-u", str(mount))
    for _ in range(50):
        if subprocess.run(["umount", str(mount)], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.1)
    shutil.rmtree(folder)


@pytest.fixture
def node(mounted: Path) -> Iterator[StandinNode]:
    started = StandinNode(
        mounted / "n1", ip="127.78.2.1", node_id="A1", storage=SMALL_CACHE, replication_factor=1
    ).start()
    yield started
    with contextlib.suppress(subprocess.CalledProcessError):
        run("fsfreeze", "-u", str(mounted))
    started.kill()


SMALL_CACHE = """
  storage-engine device {{
    file {directory}/{namespace}.dat
    filesize 64M
    flush-max-ms 100
    max-write-cache 1M
  }}
"""


def in_background(node: StandinNode, command: str, answers: list[str]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(node.info(command, timeout_s=60)))
    thread.start()
    return thread


@pytest.mark.root
def test_reads_writes_and_status_go_on_while_settings_and_sindexes_hang_until_the_thaw(
    mounted: Path, node: StandinNode
) -> None:
    client = aerospike.client({"hosts": [(node.ip, 3000)]}).connect()
    key = ("test", "demo", "k")
    client.put(key, {"n": 1})
    run("fsfreeze", "-f", str(mounted))
    answers: list[str] = []
    waiting = [
        in_background(node, GUARD + "true", answers),
        in_background(node, "sindex-create:ns=test;set=demo;indexname=ix;indexdata=n,numeric", answers),
    ]
    time.sleep(1)
    client.put(key, {"n": 2})
    assert client.get(key)[2] == {"n": 2}
    assert node.info("status") == "ok"
    assert node.fields("namespace/test")["reject-non-xdr-writes"] == "false"
    assert node.info("sindex-list:") == ""
    assert answers == []
    run("fsfreeze", "-u", str(mounted))
    for thread in waiting:
        thread.join(10)
    assert answers == ["ok", "ok"]
    assert node.fields("namespace/test")["reject-non-xdr-writes"] == "true"
    eventually(lambda: "indexname=ix" in node.info("sindex-list:"))
    client.close()


@pytest.mark.root
def test_a_full_write_cache_answers_device_overload_and_recovers_with_the_thaw(
    mounted: Path, node: StandinNode
) -> None:
    client = aerospike.client({"hosts": [(node.ip, 3000)]}).connect()
    run("fsfreeze", "-f", str(mounted))
    codes: list[int | None] = []
    while not codes or codes[-1] == 0:
        codes.append(_put(client, len(codes)))
    assert codes[-1] == 18
    assert 30 < len(codes) < 80  # a mebibyte of cache
    run("fsfreeze", "-u", str(mounted))
    eventually(lambda: _put(client, 0) == 0)
    client.close()


def _put(client: aerospike.Client, number: int) -> int | None:
    """Return the result code."""
    try:
        client.put(("test", "demo", number), {"pad": "x" * 20_000})
    except exception.AerospikeError as error:
        return error.code
    return 0


@pytest.mark.root
def test_sigterm_while_frozen_waits_for_the_thaw_and_loses_nothing(mounted: Path, node: StandinNode) -> None:
    client = aerospike.client({"hosts": [(node.ip, 3000)]}).connect()
    for number in range(50):
        client.put(("test", "demo", number), {"n": number})
    run("fsfreeze", "-f", str(mounted))
    for number in range(50, 80):
        client.put(("test", "demo", number), {"n": number})
    client.close()
    assert node.process is not None
    node.process.terminate()
    time.sleep(1)
    assert node.process.poll() is None
    run("fsfreeze", "-u", str(mounted))
    assert node.process.wait(10) == 0
    node.start()
    assert node.fields("namespace/test")["objects"] == "80"


@pytest.mark.root
def test_a_copy_of_a_running_filesystem_lacks_buffered_writes_and_a_frozen_one_holds_them(
    mounted: Path, node: StandinNode
) -> None:
    """A file is written through the page cache: a flush of the server is none of the disk (0 of 500 survive a cut)."""
    run("sync", "-f", str(mounted))
    client = aerospike.client({"hosts": [(node.ip, 3000)]}).connect()
    for number in range(500):
        client.put(("test", "demo", number), {"n": number})
    assert node.info(GUARD + "true") == "ok"
    time.sleep(1.5)
    client.close()
    image = mounted.parent / "aerokeep-standin.img"
    counts = []
    for freeze in (False, True):
        if freeze:
            run("fsfreeze", "-f", str(mounted))
        copy = mounted.parent / "aerokeep-copy.img"
        shutil.copy(image, copy)
        if freeze:
            run("fsfreeze", "-u", str(mounted))
        counts.append(_objects_in(copy, mounted.parent / "copy"))
    assert counts[0] < 500
    assert counts[1] == 500


def _objects_in(image: Path, mount: Path) -> int:
    """Cold-start a node on a copy of the filesystem."""
    mount.mkdir(exist_ok=True)
    run("mount", "-o", "loop", str(image), str(mount))
    try:
        node = StandinNode(
            mount / "n1", ip="127.78.2.2", node_id="A1", storage=SMALL_CACHE, replication_factor=1
        ).start()
        try:
            return int(node.fields("namespace/test")["objects"])
        finally:
            node.kill()
    finally:
        eventually(lambda: subprocess.run(["umount", str(mount)], check=False, capture_output=True).returncode == 0)
