"""However slow AWS is, no Lambda waits for it: what takes long is waited for by the state machine, in small states."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from sandbox.region import ApiCall
from tests.crash.field import CDK_OUT, PACE, Execution, Field
from tests.crash.invariants import Fate, longest_lambda, oversized
from tests.crash.programme import JOURNEYS
from tests.crash.rows import How, Row

pytestmark = pytest.mark.sampled

if TYPE_CHECKING:
    from tests.crash.journeys import Prepared

SLOW_CALL_S = 0.1
SLOW = replace(
    PACE,
    volume_creating_s=2.0,
    attach_s=2.0,
    detach_s=2.0,
    pending_s=3.0,
    stopping_s=3.0,
    shutting_down_s=3.0,
    agent_online_s=3.0,
    eni_release_s=2.0,
    ssm_delivery_s=1.0,
    ssm_invisible_s=1.0,
)
"""As slow as a test can bear: nobody may wait inside a Lambda for any of it."""
LONGEST_LAMBDA_S = 60.0
NAMES = (f"slow-{number}" for number in count())


@pytest.fixture(scope="module")
def slow() -> Iterator[Field]:
    """A region in which everything takes its time, every call of ours too."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    made = Field.open(pace=SLOW)

    def linger(call: ApiCall) -> None:
        if call.caller.startswith("AerokeepWorkflow"):
            time.sleep(SLOW_CALL_S)

    try:
        with made.region.faults.during(before=linger):
            yield made
    finally:
        made.close()


@pytest.mark.parametrize("name", ["restore", "replace-node"])
def test_no_lambda_waits_for_slow_aws_and_no_state_is_large(slow: Field, name: str) -> None:
    journey, cluster = JOURNEYS[name], next(NAMES)
    prepared: Prepared = journey.prepare(slow, cluster, Row(name, "AcquireLock", How.KILLED))
    ended: Execution = slow.run(name, f"{cluster}-run", prepared.request)
    assert ended.status == "SUCCEEDED", ended.words
    fate, serves = journey.judge(slow, prepared)
    assert (fate, serves) == (Fate.NEW, True)
    seconds, state = longest_lambda([*prepared.made, ended])
    assert 0 < seconds < LONGEST_LAMBDA_S, state
    assert list(oversized([*prepared.made, ended])) == []
