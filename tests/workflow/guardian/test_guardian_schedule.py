"""The schedule of the deployed templates starts the guardian without anybody's help."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.region import Region
from tests.workflow.backup.estate import CDK_OUT, PACE, Estate
from tests.workflow.guardian.rounds import hold, lock_of, uncalled_by_events
from tests.workflow.region.shapes import eventually

QUICK = replace(PACE, schedule_scale=0.02)
"""Five minutes last six seconds."""


@pytest.fixture
def scheduled() -> Iterator[Estate]:
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    plane = DirectoryPlane(None)
    region = Region(plane, pace=QUICK)
    try:
        plane.start()
        region.start()
        yield Estate(region, plane)
    finally:
        region.stop()
        plane.close()


def test_a_dead_run_that_no_event_told_of_is_settled_by_the_schedule(scheduled: Estate) -> None:
    with uncalled_by_events(scheduled):
        scheduled.configure("forgotten")
        hold(scheduled, "forgotten", journey="restore")
        assert eventually(lambda: lock_of(scheduled, "forgotten")["state"] == "halted", within_s=60)
    fired = {arn.rpartition("/")[2] for arn, _ in scheduled.region.schedules.fired}
    assert "guardian" in fired
    assert scheduled.region.schedules.failures == []
