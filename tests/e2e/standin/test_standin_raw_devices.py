"""On real block devices: direct and synchronous writes to a device and its shadow, and a cold start from the shadow."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import aerospike
import pytest

from tests.e2e.standin.standin_cluster import StandinNode, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_BYTES = 48 << 20


def _loop(image: Path) -> str:
    with image.open("wb") as file:
        file.truncate(SIZE_BYTES)
    found = subprocess.run(["losetup", "--find", "--show", str(image)], check=False, capture_output=True)
    if found.returncode:
        pytest.skip(f"needs loop devices: {found.stderr.decode().strip()}; run as root: make test K=raw_devices")
    return found.stdout.decode().strip()


@pytest.fixture
def devices(folder: Path) -> Iterator[tuple[str, str]]:
    if shutil.which("losetup") is None:
        pytest.skip("needs losetup of util-linux")
    first = _loop(folder / "aerokeep-standin-nvme.img")
    try:
        second = _loop(folder / "aerokeep-standin-ebs.img")
        yield first, second
        subprocess.run(["losetup", "--detach", second], check=True)
    finally:
        subprocess.run(["losetup", "--detach", first], check=True)


def _storage(device: str, shadow: str) -> str:
    return f"\n  storage-engine device {{{{\n    device {device} {shadow}\n    flush-max-ms 50\n  }}}}\n"


@pytest.mark.root
def test_flushed_records_are_on_the_shadow_itself_and_a_cold_start_reads_it(
    folder: Path, devices: tuple[str, str]
) -> None:
    device, shadow = devices
    node = StandinNode(
        folder / "n1", ip="127.78.3.1", node_id="A1", storage=_storage(device, shadow), replication_factor=1
    ).start()
    try:
        assert node.process is not None
        flags = {
            str(entry.readlink()): int((entry.parents[1] / "fdinfo" / entry.name).read_text().split()[3], 8)
            for entry in type(folder)(f"/proc/{node.process.pid}/fd").iterdir()
        }
        for path in devices:
            assert flags[path] & os.O_DIRECT
            assert flags[path] & os.O_DSYNC
        fields = node.fields("get-config:context=namespace;id=test")
        assert fields["storage-engine.device[0]"] == device
        assert fields["storage-engine.device[0].shadow"] == shadow
        client = aerospike.client({"hosts": [(node.ip, 3000)]}).connect()
        for number in range(300):
            client.put(("test", "demo", number), {"n": number})
        client.close()
        time.sleep(0.3)
        assert node.fields("namespace/test")["storage-engine.device[0].shadow_write_q"] == "0"
        node.kill()
        # A new instance brings a blank local disk; the shadow has everything.
        subprocess.run(["dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=16", "oflag=direct"], check=True)
        node.log.unlink()
        node.start()
        eventually(lambda: node.fields("namespace/test")["objects"] == "300")
    finally:
        node.kill()
