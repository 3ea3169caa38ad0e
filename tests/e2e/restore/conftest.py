"""A deployed estate with a living cluster of three, in the best data plane that this machine allows."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.cluster import Build, Cluster
from sandbox.demo_estate import CDK_OUT, PACE, DemoEstate, deployed, live_cluster

QUICK = replace(PACE, snapshot_pending_s=0.5, create_snapshots_s=0.1, per_volume_rate_s=0, wait_scale=0.1)
DEADLINES = {"start_deadline_s": 300, "check_deadline_s": 300, "volume_deadline_s": 120, "volume_quota_tib": 50}


@pytest.fixture(scope="module")
def demo_estate() -> Iterator[DemoEstate]:
    """The shipped templates, deployed."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    with deployed(None, pace=QUICK) as estate:
        yield estate


@pytest.fixture(scope="module")
def living(demo_estate: DemoEstate) -> Iterator[Cluster]:
    """Three nodes that serve."""
    build = Build(test_on_device=demo_estate.plane.mode == "directory")
    with live_cluster(demo_estate, build=build, consistency="crash", restore=DEADLINES) as cluster:
        yield cluster
