"""A running data plane of each mode this machine can carry, gone after the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.dataplane import DataPlane, choose, probe

MODES = [pytest.param("namespaces", marks=pytest.mark.root), "directory"]


def _plane(mode: str, workdir: Path) -> Iterator[DataPlane]:
    if mode == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    made = choose(workdir, mode=mode)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(params=MODES)
def plane(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataPlane]:
    yield from _plane(request.param, tmp_path)


@pytest.fixture
def namespaces_plane(tmp_path: Path) -> Iterator[DataPlane]:
    yield from _plane("namespaces", tmp_path)


@pytest.fixture
def directory_plane(tmp_path: Path) -> Iterator[DataPlane]:
    yield from _plane("directory", tmp_path)
