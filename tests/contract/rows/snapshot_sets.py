"""Sets of EBS snapshots."""

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."


@behaviour(
    "A snapshot set's members are pending at first, and share one StartTime.",
    source="EC2 API reference, CreateSnapshots and SnapshotInfo",
    calls=("ec2.CreateSnapshots",),
    hooks=(f"{RESPONSES}create_snapshots",),
    pace=Pace(snapshot_pending_s=0.5),
)
def _pending_together(aws: Account) -> None:
    made = aws.client("ec2").create_snapshots(InstanceSpecification={"InstanceId": aws.node().instance_id})["Snapshots"]
    assert [entry["State"] for entry in made] == ["pending", "pending"]
    assert len({entry["StartTime"] for entry in made}) == 1
