"""One region for each module of tests of faults: arming and disarming must leave it as it was."""

from collections.abc import Iterator

import pytest

from sandbox.light import LightPlane
from sandbox.region import Region
from tests.workflow.faults.scene import CDK_OUT, PACE, Scene


@pytest.fixture(scope="module")
def plane() -> Iterator[LightPlane]:
    made = LightPlane()
    yield made
    made.close()


@pytest.fixture(scope="module")
def region(plane: LightPlane) -> Iterator[Region]:
    made = Region(plane, pace=PACE)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def scene(region: Region, plane: LightPlane) -> Scene:
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    return Scene.of(region, plane)
