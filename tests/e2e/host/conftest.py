"""Hosts for tests of the host program."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.host.a_host import NODE, Host
from tests.e2e.host.a_service import Service
from tests.e2e.host.a_store import FileStore
from tests.e2e.host.a_transfer import TransferHost
from tests.e2e.host.loop_filesystem import LoopFilesystem, why_no_loop_filesystem


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="aerokeep-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("node")
    subprocess.run([sys.executable, str(NODE / "pack.py"), str(target)], check=True, capture_output=True)
    return target


@pytest.fixture
def host(folder: Path) -> Iterator[Host]:
    data = folder / "data"
    data.mkdir()
    made = Host(folder / "host", data)
    yield made
    made.close()


@pytest.fixture
def service(host: Host) -> Iterator[Service]:
    made = Service(host)
    yield made
    made.close()


@pytest.fixture
def store() -> Iterator[FileStore]:
    made = FileStore()
    yield made
    made.close()


@pytest.fixture
def transfer(host: Host, store: FileStore) -> Iterator[TransferHost]:
    made = TransferHost(host, store)
    yield made
    made.close()


@pytest.fixture
def filesystem(folder: Path) -> Iterator[LoopFilesystem]:
    missing = why_no_loop_filesystem()
    if missing:
        pytest.skip(f"needs root with loop devices: {missing}")
    made = LoopFilesystem(folder)
    yield made
    made.close()


@pytest.fixture
def mounted_host(folder: Path, filesystem: LoopFilesystem) -> Iterator[Host]:
    # The private tree's /run must not lie on the filesystem to be frozen, as on a real host.
    made = Host(folder / "host", filesystem.mount_point)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_process_of_this_test_stays(folder: Path) -> Iterator[None]:
    yield
    until = time.monotonic() + 5.0  # evidence is written an instant before they end
    while left := [process.name for process in Path("/proc").iterdir() if _is_resident(process, folder)]:
        assert time.monotonic() < until, f"residents left behind: {left}"
        time.sleep(0.05)


def _is_resident(process: Path, folder: Path) -> bool:
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
        environment = (process / "environ").read_bytes()
    except OSError:
        return False
    return (
        bool({b"resident", b"export-job", b"import-job"} & {*arguments})
        and f"AEROKEEP_ROOT={folder}/".encode() in environment
    )
