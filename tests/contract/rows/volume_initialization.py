"""How volumes get their blocks, and what DescribeVolumeStatus says of them."""

from typing import Any

from sandbox.region import Pace
from sandbox.region.quotas import Quotas
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    UNKNOWN,
    a_completed_snapshot,
    a_ready_volume,
    a_volume,
    ec2,
    volume,
    zone,
)

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
EBS = "moto.ec2.models.elastic_block_store:"
CREATE, STATUS = f"{RESPONSES}create_volume", f"{RESPONSES}describe_volume_status"
INITIALIZING = "EBS user guide, initialize volumes"


@behaviour(
    "A volume from a snapshot tells how far it is initialized, and at a provisioned rate how long it will take.",
    source=f"{INITIALIZING}; EC2 API reference, InitializationStatusDetails",
    calls=("ec2.CreateVolume", "ec2.DescribeVolumeStatus"),
    hooks=(CREATE, STATUS),
    pace=Pace(initialization_scale=1.0),
)
def _initializing(aws: Account) -> None:
    source = a_completed_snapshot(aws)
    empty, usual = a_ready_volume(aws), a_ready_volume(aws, SnapshotId=source)
    quick = a_ready_volume(aws, SnapshotId=source, VolumeInitializationRate=300)
    assert volume(aws, quick)["VolumeInitializationRate"] == 300
    found = ec2(aws).describe_volume_status(VolumeIds=[empty, usual, quick])["VolumeStatuses"]
    told = {entry["VolumeId"]: entry.get("InitializationStatusDetails", {}) for entry in found}
    assert told[empty] == {}
    assert told[usual]["InitializationType"] == "default"
    assert "EstimatedTimeToCompleteInSeconds" not in told[usual]
    assert told[quick]["InitializationType"] == "provisioned-rate"
    assert 0 <= told[quick]["Progress"] <= 100
    assert 0 <= told[quick]["EstimatedTimeToCompleteInSeconds"] <= 4


@behaviour(
    "A volume that is initialized has a progress of 100 and nothing left to wait for.",
    source=f"{INITIALIZING}; EC2 API reference, InitializationStatusDetails",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
)
def _initialized(aws: Account) -> None:
    made = a_ready_volume(aws, SnapshotId=a_completed_snapshot(aws), VolumeInitializationRate=300)
    done = {"InitializationType": "provisioned-rate", "Progress": 100, "EstimatedTimeToCompleteInSeconds": 0}

    def told() -> dict[str, Any]:
        found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
        return dict(found["InitializationStatusDetails"])

    assert aws.eventually(lambda: told() == done)


@behaviour(
    "A rate of initialization is between 100 and 300 MiB/s, and goes with a snapshot.",
    source=f"{INITIALIZING}; assumed: the codes",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
)
def _rates(aws: Account) -> None:
    given = {"AvailabilityZone": zone(aws), "SnapshotId": a_completed_snapshot(aws)}
    for rate in (99, 301):
        code = aws.refused("ec2", "create_volume", **given, VolumeInitializationRate=rate)
        assert code == "InvalidParameterValue"
    empty = {"AvailabilityZone": zone(aws), "Size": 1, "VolumeInitializationRate": 100}
    assert aws.refused("ec2", "create_volume", **empty) == "InvalidParameterCombination"


@behaviour(
    "The rates of all volumes that are being initialized in a Region have a quota.",
    source=f"{INITIALIZING} (5,000 MiB/s); assumed: the code",
    calls=("ec2.CreateVolume",),
    hooks=(CREATE,),
    sandbox_only="seventeen volumes at the highest rate cost money",
    pace=Pace(initialization_scale=60.0, quotas=Quotas(initialization_mibps=300)),
)
def _rate_quota(aws: Account) -> None:
    source = a_completed_snapshot(aws)
    first = a_ready_volume(aws, SnapshotId=source, VolumeInitializationRate=250)
    more = {"AvailabilityZone": zone(aws), "SnapshotId": source, "VolumeInitializationRate": 100}
    assert aws.refused("ec2", "create_volume", **more) == "VolumeInitializationRateLimitExceeded"
    assert aws.refused("ec2", "create_volume", AvailabilityZone=zone(aws), SnapshotId=source) == ""
    ec2(aws).delete_volume(VolumeId=first)
    assert aws.refused("ec2", "create_volume", **more) == ""


@behaviour(
    "A volume's status is insufficient-data while it is being created, and ok when its checks have passed.",
    source="EC2 API reference, DescribeVolumeStatus",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="a real one is available too soon",
)
def _status(aws: Account) -> None:
    def told() -> str:
        found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
        return str(found["VolumeStatus"]["Status"])

    aws.node()
    with aws.lingering("creating"):
        made = a_volume(aws)
        assert told() == "insufficient-data"
    assert aws.eventually(lambda: told() == "ok")
    assert aws.refused("ec2", "describe_volume_status", VolumeIds=[UNKNOWN["volume"]]) == "InvalidVolume.NotFound"


@behaviour(
    "A volume whose I/O is disabled is impaired, with its event and the action to take, and is found by that.",
    source="EBS user guide, volume status checks",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="hardware fails when it likes",
)
def _impaired(aws: Account) -> None:
    data = aws.node().volume_id
    aws.region.ec2.volume_checks.impair(data)
    wanted = [{"Name": "volume-status.status", "Values": ["impaired"]}]
    found = ec2(aws).describe_volume_status(Filters=wanted)["VolumeStatuses"]
    assert [entry["VolumeId"] for entry in found] == [data]
    assert found[0]["Events"][0]["EventType"] == "potential-data-inconsistency"
    assert found[0]["Actions"][0]["Code"] == "enable-volume-io"
    assert {"Name": "io-enabled", "Status": "failed"} in found[0]["VolumeStatus"]["Details"]
    aws.region.ec2.volume_checks.heal(data)
    assert ec2(aws).describe_volume_status(Filters=wanted)["VolumeStatuses"] == []


@behaviour(
    "A volume with provisioned IOPS warns while it is being initialized.",
    source=f"{INITIALIZING}; EBS user guide, volume status checks",
    calls=("ec2.DescribeVolumeStatus",),
    hooks=(STATUS,),
    sandbox_only="it may be initialized before it is asked",
    pace=Pace(initialization_scale=60.0),
)
def _warning(aws: Account) -> None:
    source = a_completed_snapshot(aws, a_ready_volume(aws, Size=4))
    made = a_ready_volume(aws, SnapshotId=source, VolumeType="io2", Iops=100)
    found = ec2(aws).describe_volume_status(VolumeIds=[made])["VolumeStatuses"][0]
    assert found["VolumeStatus"]["Status"] == "warning"
