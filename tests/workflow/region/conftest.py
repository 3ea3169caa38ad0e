"""A region over a plane of folders, anew for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.region import Pace, Region
from tests.workflow.region.folder_plane import FolderPlane


@pytest.fixture
def plane() -> Iterator[FolderPlane]:
    made = FolderPlane()
    yield made
    made.close()


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with one module in it."""
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "third_party.py").write_text("NAME = 'from the layer'\n")
    return folder


@pytest.fixture
def pace() -> Pace:
    """A test of another pace has a parameter of this name."""
    return Pace(wait_scale=0.01, stopping_s=0.05)


@pytest.fixture
def region(plane: FolderPlane, layer: Path, pace: Pace) -> Iterator[Region]:
    made = Region(plane, pace=pace, layer=layer)
    try:
        made.start()
        yield made
    finally:
        made.stop()
