"""Clusters for the negative demos: one per module, and proof after each test that it was left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.cluster import MOUNT_POINT
from sandbox.dataplane import choose, probe
from tests.e2e.negative.three_nodes import ThreeNodes, start_cluster
from tests.plane_nodes import DOCUMENTS


@contextmanager
def _started(workdir: Path, *, data_on_root: bool) -> Iterator[ThreeNodes]:
    if not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    assert DOCUMENTS.exists(), "the host program is not packed: make layer"
    plane = choose(workdir, mode="namespaces")
    try:
        plane.start()
        yield start_cluster(plane, data_on_root=data_on_root)
    finally:
        plane.close()


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with _started(tmp_path_factory.mktemp("negative"), data_on_root=False) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def root_data_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    with _started(tmp_path_factory.mktemp("negative"), data_on_root=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(module_cluster: ThreeNodes) -> Iterator[ThreeNodes]:
    before = module_cluster.states()
    yield module_cluster
    frozen = [node.node_id for node in module_cluster.nodes for point in ("/", MOUNT_POINT) if node.thaw(point)]
    assert frozen == []
    assert module_cluster.states() == before
