"""One deployed estate in directory mode per module: starting it takes seconds."""

from collections.abc import Iterator

import pytest

from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.region import Region
from tests.workflow.backup.estate import CDK_OUT, PACE, Estate
from tests.workflow.backup.small_cluster import Addresses


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """The shipped templates, deployed in a region of this module's own."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    plane = DirectoryPlane(None)
    region = Region(plane, pace=PACE)
    try:
        plane.start()
        region.start()
        yield Estate(region, plane)
    finally:
        region.stop()
        plane.close()


@pytest.fixture(scope="module")
def addresses(estate: Estate) -> Addresses:
    """Private addresses, each given once."""
    return Addresses(estate.plane)
