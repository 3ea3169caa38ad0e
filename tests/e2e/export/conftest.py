"""A living cluster of three in the best data plane of this machine, with records, an index and a UDF to be exported."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.cluster import Build
from sandbox.demo_estate import CDK_OUT, PACE, deployed, live_cluster
from tests.e2e.export.exporting import POLICY, Exporting

QUICK = replace(
    PACE, ssm_delivery_s=0.05, ssm_jitter_s=0.05, ssm_invisible_s=0.0, snapshot_pending_s=0.5, wait_scale=0.2
)


@pytest.fixture(scope="module")
def exporting() -> Iterator[Exporting]:
    """The shipped templates, deployed; both namespaces hold records."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    with deployed(None, pace=QUICK) as estate:
        build = Build(test_on_device=estate.plane.mode == "directory")
        with live_cluster(estate, build=build, export=POLICY) as cluster:
            made = Exporting(estate, cluster)
            made.fill()
            yield made


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did: no lock, no process and no half export outlives it."""
    yield
    if "exporting" in request.fixturenames:
        made: Exporting = request.getfixturevalue("exporting")
        made.settle()
        assert made.leftovers() == []
