"""A cluster makes its cut known before its hosts are armed, and reckons with what others have made known or begun."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from aerokeep.aws.barriers import Barriers
from aerokeep.aws.ec2 import Snapshots
from aerokeep.model.barrier import Barrier
from aerokeep.rules.window import Lease
from aerokeep.steps.shared.headroom import Headroom
from aerokeep.steps.step import Clock
from botocore.stub import ANY

from tests.builders import NOON, POINT, a_run, at
from tests.unit.steps.stubbed import a_stub

LEASE = Lease(flush_s=1.0, lease_s=10.0)


class Noon(Clock):
    """It is always noon."""

    def __call__(self) -> datetime:
        return NOON


class Account:
    """What AWS answers, in order."""

    def __init__(self) -> None:
        dynamodb, self.catalog = a_stub("dynamodb")
        ec2, self.ec2 = a_stub("ec2")
        self.headroom = Headroom(Barriers(dynamodb, "catalog"), Snapshots(ec2), Noon())

    def knows(self, *barriers: Barrier, version: int = 7) -> None:
        told = f"[{','.join(barrier.model_dump_json() for barrier in barriers)}]"
        item: dict[str, Any] = {"barriers": {"S": told}, "version": {"N": str(version)}}
        self.catalog.add_response("get_item", {"Item": item})

    def has_begun(self, *snapshots: dict[str, Any]) -> None:
        wanted = {"OwnerIds": ["self"], "MaxResults": ANY, "Filters": [{"Name": "status", "Values": ["pending"]}]}
        self.ec2.add_response("describe_snapshots", {"Snapshots": list(snapshots)}, wanted)

    def takes_it(self) -> None:
        self.catalog.add_response("update_item", {})

    def was_quicker(self) -> None:
        self.catalog.add_client_error("update_item", "ConditionalCheckFailedException")

    def reserve(self) -> float | None:
        return self.headroom.reserve(a_run(), calls=80, lease=LEASE, lead_s=60)


@pytest.fixture
def account() -> Iterator[Account]:
    made = Account()
    with made.catalog, made.ec2:
        yield made
        made.catalog.assert_no_pending_responses()
        made.ec2.assert_no_pending_responses()


def a_raw_snapshot(seconds: float, **tags: str) -> dict[str, Any]:
    return {
        "SnapshotId": "snap-1",
        "VolumeId": "vol-1",
        "State": "pending",
        "VolumeSize": 1,
        "StartTime": at(seconds),
        "Tags": [{"Key": f"aerokeep:{key.removesuffix('_')}", "Value": value} for key, value in tags.items()],
    }


def test_an_empty_ledger_and_a_quiet_account_leave_the_lead_as_it_is(account: Account) -> None:
    account.catalog.add_response("get_item", {})
    account.has_begun()
    account.takes_it()
    assert account.reserve() == 60


def test_what_is_written_holds_the_own_cut_and_drops_what_is_long_over(account: Account) -> None:
    young, old = Barrier(run="young", at=at(-20), calls=3), Barrier(run="old", at=at(-40), calls=3)
    account.knows(old, young)
    account.has_begun()
    own = Barrier(run=POINT, at=at(61), calls=80)
    kept = f"[{young.model_dump_json()},{own.model_dump_json()}]"
    account.catalog.add_response(
        "update_item",
        {},
        {
            "TableName": "catalog",
            "Key": {"pk": {"S": "account"}, "sk": {"S": "barriers"}},
            "UpdateExpression": ANY,
            "ConditionExpression": "attribute_not_exists(version) OR version = :read",
            "ExpressionAttributeValues": {":barriers": {"S": kept}, ":read": {"N": "7"}, ":next": {"N": "8"}},
        },
    )
    assert account.reserve() == 60


def test_who_was_slower_looks_again_and_moves_behind_the_other(account: Account) -> None:
    account.catalog.add_response("get_item", {})
    account.has_begun()
    account.was_quicker()
    account.knows(Barrier(run="other", at=at(61), calls=80), version=1)
    account.has_begun()
    account.takes_it()
    assert account.reserve() == 76


def test_each_snapshot_of_others_counts_as_a_call_but_not_those_of_cuts_that_were_made_known(account: Account) -> None:
    known = Barrier(run=f"{POINT}-2", at=at(-1), calls=80)
    begun = [a_raw_snapshot(-1, run=POINT, try_="2")] * 500
    account.knows(known)
    account.has_begun(*begun)
    account.takes_it()
    assert account.headroom.reserve(a_run(), calls=20, lease=LEASE, lead_s=10) == 10
    account.knows(known)
    account.has_begun(*begun, *[a_raw_snapshot(-1)] * 200)
    account.takes_it()
    assert account.headroom.reserve(a_run(), calls=50, lease=LEASE, lead_s=10) == 12


def test_what_others_take_is_not_counted_where_it_cannot_be_read(account: Account) -> None:
    account.knows()
    account.ec2.add_client_error("describe_snapshots", "RequestLimitExceeded")
    account.takes_it()
    assert account.reserve() == 60


def test_a_bucket_that_others_have_taken_for_two_minutes_is_told(account: Account) -> None:
    account.knows(*[Barrier(run=f"b-{n}", at=NOON + timedelta(seconds=n), calls=5) for n in range(-29, 200)])
    account.has_begun()
    assert account.reserve() is None
