"""A cut that the account's bucket does not hold waits for it, or is given up, or is made without a barrier."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from aerokeep.aws.barriers import Barriers
from aerokeep.model.barrier import Barrier, Ledger
from aerokeep.model.recovery_point import Manifest

from tests.crash.field import Execution, Field
from tests.crash.journeys import WRITE_STOP

pytestmark = pytest.mark.sampled

LONG_S = 400


def announce(field: Field, *barriers: Barrier) -> None:
    """Write a ledger as other clusters would have."""
    ledger = Barriers(field.region.client("dynamodb"), field.outputs["CatalogName"])
    assert ledger.write(Ledger(version=ledger.read().version, barriers=barriers))


def back_up(field: Field, name: str, **settings: Any) -> Execution:  # noqa: ANN401  # any field of a configuration
    field.launch(name, write_stop=WRITE_STOP, **settings)
    return field.run("backup", name, {"cluster": name})


def states_of(execution: Execution) -> list[str]:
    entered = (event.get("stateEnteredEventDetails") for event in execution.events)
    return [details["name"] for details in entered if details]


def test_t0_is_moved_behind_a_cut_that_another_cluster_has_made_known(field: Field) -> None:
    field.launch("later", write_stop=WRITE_STOP)
    now = datetime.now(UTC)
    promised = [Barrier(run=f"b-{n}", at=now + timedelta(seconds=n), calls=5 if n else 100) for n in range(30)]
    announce(field, *promised)
    begun = time.time()
    execution = field.run("backup", "later", {"cluster": "later"})
    assert execution.status == "SUCCEEDED", execution.words
    manifest = Manifest.model_validate(field.manifest("later", execution.output["point"]))
    assert manifest.window is not None
    assert manifest.window.cut_at > promised[-1].at
    assert manifest.window.start_at.timestamp() > begun + WRITE_STOP["lead_s"]
    assert manifest.label.tries == 1


@pytest.fixture
def taken(field: Field) -> None:
    """Others take all there is for minutes."""
    now = datetime.now(UTC)
    announce(field, *[Barrier(run=f"b-{n}", at=now + timedelta(seconds=n), calls=5) for n in range(-30, LONG_S)])


@pytest.mark.usefixtures("taken")
def test_a_bucket_that_others_use_up_all_the_time_ends_the_run_after_its_second_try(field: Field) -> None:
    execution = back_up(field, "given-up")
    assert (execution.status, execution.error) == ("FAILED", "NotReadyError")
    assert execution.cause.startswith("no_headroom: CreateSnapshots: does not hold the cuts of 3 nodes at one instant")
    assert execution.cause.endswith("schedule this cluster at another time")
    assert states_of(execution).count("StopWrites") == 2
    assert "CutSnapshots" not in states_of(execution)


@pytest.mark.usefixtures("taken")
def test_an_operator_who_accepts_less_gets_cuts_without_a_barrier(field: Field) -> None:
    execution = back_up(field, "spread", shortfall="degrade")
    assert execution.status == "SUCCEEDED", execution.words
    manifest = Manifest.model_validate(field.manifest("spread", execution.output["point"]))
    assert manifest.label.consistency == "crash"
    assert manifest.label.reasons[0].startswith("the write stop was called off: no_headroom: ")
    assert manifest.window is not None
    assert manifest.window.paced
    requests = sorted(cut.requested_at for cut in manifest.cuts)
    assert all((after - before).total_seconds() >= 0.2 for before, after in pairwise(requests))
