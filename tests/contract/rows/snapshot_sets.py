"""Sets of EBS snapshots."""

from sandbox.region import Pace
from sandbox.region.changes import Change, End
from sandbox.region.quotas import Quotas
from tests.contract.account import DEVICE, TAG, Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import a_key, a_ready_volume, a_set, ec2, snapshot, volume

RESPONSES = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
EBS = "moto.ec2.models.elastic_block_store:"
CREATE = f"{RESPONSES}create_snapshots"
CALL = ("ec2.CreateSnapshots",)
REFERENCE = "EC2 API reference, CreateSnapshots and InstanceSpecification"


@behaviour(
    "A snapshot set's members are pending at first, and share one StartTime.",
    source="EC2 API reference, CreateSnapshots and SnapshotInfo",
    calls=CALL,
    hooks=(CREATE,),
    pace=Pace(snapshot_pending_s=60.0),
)
def _pending_together(aws: Account) -> None:
    made = a_set(aws)
    assert [entry["State"] for entry in made] == ["pending", "pending"]
    assert len({entry["StartTime"] for entry in made}) == 1


@behaviour(
    "The boot volume can be left out of a set, and data volumes by their ids.",
    source=REFERENCE,
    calls=CALL,
    hooks=(CREATE,),
    pace=Pace(per_volume_rate_s=0.0),
)
def _exclusions(aws: Account) -> None:
    node = aws.node()
    assert [entry["VolumeId"] for entry in a_set(aws, ExcludeBootVolume=True)] == [node.volume_id]
    without_data = a_set(aws, ExcludeDataVolumeIds=[node.volume_id])
    assert [entry["VolumeId"] for entry in without_data] == [node.root_volume_id]


@behaviour(
    "The root volume cannot be named among the excluded data volumes, nor can more than 40 be.",
    source=REFERENCE,
    calls=CALL,
    hooks=(CREATE,),
)
def _no_exclusion_of_the_root(aws: Account) -> None:
    node = aws.node()
    for left_out in ([node.root_volume_id], [f"vol-{number:017x}" for number in range(1, 42)]):
        specification = {"InstanceId": node.instance_id, "ExcludeDataVolumeIds": left_out}
        code = aws.refused("ec2", "create_snapshots", InstanceSpecification=specification)
        assert code == "InvalidParameterValue"


@behaviour(
    "A set has the tags of the request, and with CopyTagsFromSource those of each volume too.",
    source="EC2 API reference, CreateSnapshots",
    calls=(*CALL, "ec2.CreateTags"),
    hooks=(CREATE,),
)
def _tags_of_the_source(aws: Account) -> None:
    ec2(aws).create_tags(Resources=[aws.node().volume_id], Tags=[{"Key": "of", "Value": "volume"}])
    tags = [{"ResourceType": "snapshot", "Tags": [TAG]}]
    made = a_set(aws, ExcludeBootVolume=True, CopyTagsFromSource="volume", TagSpecifications=tags)[0]
    told = {tag["Key"]: tag["Value"] for tag in snapshot(aws, made["SnapshotId"])["Tags"]}
    assert (told["of"], told[TAG["Key"]]) == ("volume", TAG["Value"])


@behaviour(
    "Two sets of one volume within 15 seconds are one too many.",
    source="EC2 API error codes, SnapshotCreationPerVolumeRateExceeded",
    calls=CALL,
    hooks=(CREATE,),
)
def _rate(aws: Account) -> None:
    a_set(aws)
    again = {"InstanceId": aws.node().instance_id}
    code = aws.refused("ec2", "create_snapshots", InstanceSpecification=again)
    assert code == "SnapshotCreationPerVolumeRateExceeded"


@behaviour(
    "A sixth pending snapshot of one volume is one too many.",
    source="EBS user guide, quotas (concurrent snapshots per volume)",
    calls=("ec2.CreateSnapshot",),
    hooks=(f"{RESPONSES}create_snapshot",),
    sandbox_only="it would take 15 seconds from one snapshot to the next, and a volume that is slow to be copied",
    pace=Pace(per_volume_rate_s=0.0, snapshot_pending_s=60.0),
)
def _concurrency(aws: Account) -> None:
    volume_id = a_ready_volume(aws)
    codes = [aws.refused("ec2", "create_snapshot", VolumeId=volume_id) for _ in range(6)]
    assert codes == [*[""] * 5, "ConcurrentSnapshotLimitExceeded"]
    disk = a_ready_volume(aws, VolumeType="st1", Size=125)
    codes = [aws.refused("ec2", "create_snapshot", VolumeId=disk) for _ in range(2)]
    assert codes == ["", "ConcurrentSnapshotLimitExceeded"]


@behaviour(
    "A set that would bring an account past its pending snapshots is refused as a whole.",
    source="EC2 API error codes, PendingSnapshotLimitExceeded; assumed: how many",
    calls=CALL,
    hooks=(CREATE,),
    sandbox_only="AWS publishes no number",
    pace=Pace(snapshot_pending_s=60.0, quotas=Quotas(pending_snapshots=2)),
)
def _pending_limit(aws: Account) -> None:
    a_set(aws, ExcludeBootVolume=True)
    ec2(aws).attach_volume(VolumeId=a_ready_volume(aws), InstanceId=aws.node().instance_id, Device="/dev/sdg")
    rest = {"InstanceId": aws.node().instance_id, "ExcludeDataVolumeIds": [aws.node().volume_id]}
    code = aws.refused("ec2", "create_snapshots", InstanceSpecification=rest)
    assert code == "PendingSnapshotLimitExceeded"
    assert len(ec2(aws).describe_snapshots(Filters=[{"Name": "status", "Values": ["pending"]}])["Snapshots"]) == 1


@behaviour(
    "An account has at most so many snapshots, whatever their state.",
    source="EBS user guide, quotas (snapshots per Region); EC2 API error codes, SnapshotLimitExceeded",
    calls=("ec2.CreateSnapshot",),
    hooks=(f"{RESPONSES}create_snapshot",),
    sandbox_only="it would take 100,000 of them",
    pace=Pace(snapshot_pending_s=0.0, quotas=Quotas(snapshots=1)),
)
def _snapshot_limit(aws: Account) -> None:
    codes = [aws.refused("ec2", "create_snapshot", VolumeId=a_ready_volume(aws)) for _ in range(2)]
    assert codes == ["", "SnapshotLimitExceeded"]


@behaviour(
    "A set has at most so many volumes.",
    source="EBS user guide, create snapshots (128 volumes: the root and 127 data volumes); assumed: the code",
    calls=CALL,
    hooks=(CREATE,),
    sandbox_only="it would take 129 volumes",
    pace=Pace(quotas=Quotas(volumes_per_set=1)),
)
def _most_volumes(aws: Account) -> None:
    specification = {"InstanceId": aws.node().instance_id}
    code = aws.refused("ec2", "create_snapshots", InstanceSpecification=specification)
    assert code == "InvalidParameterValue"
    assert len(a_set(aws, ExcludeBootVolume=True)) == 1


@behaviour(
    "When a member of a set fails, all of them do, each with a StateMessage.",
    source="EBS user guide, create snapshots (multi-volume)",
    calls=(*CALL, "ec2.DescribeSnapshots"),
    hooks=(CREATE, f"{RESPONSES}describe_snapshots"),
    sandbox_only="a member that fails cannot be asked for",
    pace=Pace(snapshot_pending_s=60.0),
)
def _one_fate(aws: Account) -> None:
    ids = [entry["SnapshotId"] for entry in a_set(aws)]
    aws.region.snapshots.fail(ids[0], "out of luck")
    found = ec2(aws).describe_snapshots(SnapshotIds=ids)["Snapshots"]
    assert [entry["State"] for entry in found] == ["error", "error"]
    assert all("out of luck" in entry["StateMessage"] for entry in found)


@behaviour(
    "What a set comes to is told once, with its members and its cause.",
    source="EBS user guide, EventBridge events (createSnapshots)",
    calls=CALL,
    hooks=(CREATE,),
    sandbox_only="it is not told to callers",
    pace=Pace(snapshot_pending_s=60.0, per_volume_rate_s=0.0),
)
def _told(aws: Account) -> None:
    aws.node()
    heard = list[Change | End]()
    aws.region.changes.listeners.append(heard.append)
    first, second = ([entry["SnapshotId"] for entry in a_set(aws)] for _ in range(2))
    aws.region.snapshots.fail(second[1], "out of luck")
    for member in first:
        aws.region.snapshots.hold(member, 0)
    assert aws.eventually(lambda: len(heard) >= 2)
    ends = {end.resources: (end.event, end.result, end.cause) for end in heard if isinstance(end, End)}
    assert ends == {
        tuple(first): ("createSnapshots", "succeeded", ""),
        tuple(second): ("createSnapshots", "failed", "out of luck"),
    }
    assert len(heard) == 2


@behaviour(
    "A snapshot of an encrypted volume is encrypted under the same key.",
    source="EBS user guide, EBS encryption",
    calls=("ec2.CreateSnapshot",),
    hooks=(f"{EBS}EBSBackend.create_snapshot",),
)
def _inherited_key(aws: Account) -> None:
    key = a_key(aws)
    volume_id = a_ready_volume(aws, Encrypted=True, KmsKeyId=key)
    made = ec2(aws).create_snapshot(VolumeId=volume_id)
    assert (made["Encrypted"], made["KmsKeyId"], volume(aws, volume_id)["KmsKeyId"]) == (True, key, key)


@behaviour(
    "A set with a member whose key has been disabled is pending at first, and then fails as a whole.",
    source="EBS user guide, create snapshots and EBS encryption; KMS developer guide, key states",
    calls=(*CALL, "kms.DisableKey"),
    hooks=(CREATE,),
    sandbox_only="AWS may go on using a key that a running instance has for hours",
    pace=Pace(snapshot_pending_s=2.0, key_failure_s=1.0),
)
def _disabled_key(aws: Account) -> None:
    key, node = a_key(aws), aws.node()
    volume_id = a_ready_volume(aws, Encrypted=True, KmsKeyId=key)
    ec2(aws).attach_volume(VolumeId=volume_id, InstanceId=node.instance_id, Device="/dev/sdg")
    assert aws.eventually(lambda: bool(volume(aws, volume_id)["Attachments"][0]["State"] == "attached"))
    aws.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    made = a_set(aws)
    assert {entry["State"] for entry in made} == {"pending"}
    ids = [entry["SnapshotId"] for entry in made]
    assert aws.eventually(lambda: {snapshot(aws, one)["State"] for one in ids} == {"error"})
    assert all("Given key ID is not accessible" in snapshot(aws, one)["StateMessage"] for one in ids)
    assert DEVICE in {entry["Device"] for entry in volume(aws, node.volume_id)["Attachments"]}
