"""Request quotas: token buckets per API."""

from collections import Counter

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour

EC2_GUIDE = "EC2 developer guide, request throttling"
COSTLY = "it would use up the account's own quota"
SLOW = Pace(wait_scale=1000.0, create_snapshots_s=0.0, per_volume_rate_s=0.0)
"""Buckets fill as fast as waits go: here a busy machine too sees one that is empty."""
UNKNOWN = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}


def _codes(aws: Account, service: str, action: str, times: int, **request: object) -> Counter[str]:
    """What a role that calls so often is answered; an empty code is a success."""
    client = aws.region.client(service, caller="a-role", attempts=1)
    codes: Counter[str] = Counter()
    for _ in range(times):
        try:
            getattr(client, action)(**request)
            codes[""] += 1
        except client.exceptions.ClientError as error:
            codes[error.response["Error"]["Code"]] += 1
    return codes


@behaviour(
    "RunInstances takes from a bucket of 5 requests, refilled by 2 a second, and then says RequestLimitExceeded.",
    source=EC2_GUIDE,
    calls=("ec2.RunInstances",),
    sandbox_only=COSTLY,
    pace=SLOW,
)
def _launches(aws: Account) -> None:
    codes = _codes(aws, "ec2", "run_instances", 30, **UNKNOWN)
    assert 5 <= codes["InvalidAMIID.NotFound"] < 30
    assert codes["RequestLimitExceeded"] >= 1


@behaviour(
    "CreateSnapshots takes one token of 100, whatever the number of volumes.",
    source=EC2_GUIDE,
    calls=("ec2.CreateSnapshots",),
    sandbox_only=COSTLY,
    pace=SLOW,
)
def _sets(aws: Account) -> None:
    request = {"InstanceSpecification": {"InstanceId": aws.node().instance_id}}
    aws.region.throttles.drain("ec2.CreateSnapshots")
    codes = _codes(aws, "ec2", "create_snapshots", 1, **request)
    assert codes == {"RequestLimitExceeded": 1}


@behaviour(
    "An empty bucket fills again, and who has waited is served.",
    source=EC2_GUIDE,
    calls=("ec2.CreateVolume",),
    sandbox_only=COSTLY,
    pace=Pace(wait_scale=1.0),
)
def _refill(aws: Account) -> None:
    wanted = {"AvailabilityZone": f"{aws.region.region}a", "Size": 1}
    aws.region.throttles.drain("ec2.CreateVolume")
    assert aws.eventually(lambda: _codes(aws, "ec2", "create_volume", 1, **wanted) == {"": 1})


@behaviour(
    "A describe call without filter or page takes from a smaller bucket than one with.",
    source=EC2_GUIDE,
    calls=("ec2.DescribeVolumes",),
    sandbox_only=COSTLY,
    pace=SLOW,
)
def _whole_reads(aws: Account) -> None:
    aws.region.throttles.drain("ec2 whole reads")
    assert _codes(aws, "ec2", "describe_volumes", 1) == {"RequestLimitExceeded": 1}
    assert _codes(aws, "ec2", "describe_volumes", 1, MaxResults=5) == {"": 1}


@behaviour(
    "Other changes of EC2 share a bucket of 50 requests, refilled by 5 a second.",
    source=EC2_GUIDE,
    calls=("ec2.AttachVolume", "ec2.DetachVolume", "ec2.StopInstances", "ec2.ModifyInstanceAttribute"),
    sandbox_only=COSTLY,
    pace=SLOW,
)
def _shared(aws: Account) -> None:
    aws.region.throttles.drain("ec2 changes")
    gone = "vol-0123456789abcdef0"
    assert _codes(aws, "ec2", "detach_volume", 1, VolumeId=gone) == {"RequestLimitExceeded": 1}


@behaviour(
    "Step Functions refuses too many requests as ThrottlingException.",
    source="Step Functions developer guide, service quotas",
    calls=("states.ListExecutions", "states.StartExecution"),
    sandbox_only=COSTLY,
    pace=SLOW,
)
def _starts(aws: Account) -> None:
    aws.region.throttles.drain("states.ListExecutions")
    machine = f"arn:aws:states:{aws.region.region}:{aws.region.account}:stateMachine:none"
    codes = _codes(aws, "stepfunctions", "list_executions", 1, stateMachineArn=machine)
    assert codes == {"ThrottlingException": 1}


@behaviour(
    "A filter takes 200 values and no more, and a request 50 filters.",
    source="EC2 user guide, resource filtering",
    calls=("ec2.DescribeInstances",),
)
def _filter_values(aws: Account) -> None:
    ids = [f"i-{number:017x}" for number in range(201)]
    action, name = "describe_instances", "instance-id"
    assert aws.refused("ec2", action, Filters=[{"Name": name, "Values": ids}]) == "FilterLimitExceeded"
    assert aws.refused("ec2", action, Filters=[{"Name": name, "Values": ids[:200]}]) == ""
    assert aws.refused("ec2", action, Filters=[{"Name": name, "Values": ids[:1]}] * 51) == "FilterLimitExceeded"
