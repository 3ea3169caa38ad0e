"""A cluster for the tests that only talk to one, and clean folders for those that break theirs."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aerospike
import pytest

from tests.e2e.standin.standin_cluster import StandinNode, a_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="aerokeep-standin-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def launch(folder: Path) -> Iterator[Callable[..., list[StandinNode]]]:
    """Start clusters that end with the test."""
    started: list[StandinNode] = []

    def start(**options: object) -> list[StandinNode]:
        nodes = a_cluster(folder, **options)  # type: ignore[arg-type] # passed through
        started.extend(nodes)
        return nodes

    yield start
    for node in started:
        node.kill()


@pytest.fixture
def connect() -> Iterator[Callable[..., aerospike.Client]]:
    """Connect official clients that are closed with the test."""
    with contextlib.ExitStack() as stack:

        def client(*nodes: StandinNode) -> aerospike.Client:
            opened = aerospike.client({"hosts": [(node.ip, 3000) for node in nodes]}).connect()
            stack.callback(opened.close)
            return opened

        yield client


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[list[StandinNode]]:
    path = Path(tempfile.mkdtemp(prefix="aerokeep-standin-"))
    nodes = a_cluster(path, size=3, namespaces=("test", "raw"))
    yield nodes
    for node in nodes:
        node.kill()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def client(shared_cluster: list[StandinNode]) -> Iterator[aerospike.Client]:
    opened = aerospike.client({"hosts": [(shared_cluster[0].ip, 3000)]}).connect()
    yield opened
    opened.close()
