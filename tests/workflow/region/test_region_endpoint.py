"""The endpoint is on loopback, fails as it is told to, and leaves nothing behind."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.region import ApiCall, ApiError, LostResponseError, Region
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import a_function, eventually, invoked


def _refuse(call: ApiCall) -> None:
    if call.action == "DescribeVolumes":
        raise ApiError("RequestLimitExceeded", "Request limit exceeded.", status=503)


def _lose(call: ApiCall) -> None:
    if call.action == "CreateVolume":
        raise LostResponseError


@pytest.mark.parametrize(
    ("service", "action", "code"),
    [
        ("ec2", "describe_volumes", "RequestLimitExceeded"),
        ("ssm", "list_commands", "ThrottlingException"),
        ("s3", "list_buckets", "SlowDown"),
        ("sns", "list_topics", "Throttling"),
        ("dynamodb", "list_tables", "ThrottlingException"),
        ("lambda", "list_functions", "TooManyRequestsException"),
    ],
)
def test_any_call_can_be_made_to_fail_in_its_own_protocol(region: Region, service: str, action: str, code: str) -> None:
    def throttle(_call: ApiCall) -> None:
        raise ApiError(code, "slow down")

    client = region.client(service, attempts=1)
    with region.faults.during(before=throttle), pytest.raises(ClientError) as failed:
        getattr(client, action)()
    assert failed.value.response["Error"]["Code"] == code
    getattr(client, action)()


def test_a_fault_before_a_call_keeps_it_from_happening_and_one_after_it_does_not(region: Region) -> None:
    ec2 = region.client("ec2", attempts=1)
    with region.faults.during(before=_refuse), pytest.raises(ClientError, match="RequestLimitExceeded"):
        ec2.describe_volumes()
    with region.faults.during(after=_lose), pytest.raises(ConnectionClosedError):
        ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1)
    assert len(ec2.describe_volumes()["Volumes"]) == 1


RACERS = 16
ROUNDS = 12


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns so often that two of the server's are within one write at the same time."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


def _won(attempt: Callable[[int], object], *, at_once: int = RACERS) -> int:
    """How many of the attempts made at the same moment were not refused by their condition."""
    barrier = Barrier(at_once)
    refusals = {"ConditionalCheckFailedException", "PreconditionFailed"}

    def race(number: int) -> bool:
        barrier.wait()
        try:
            attempt(number)
        except ClientError as error:
            if error.response["Error"]["Code"] not in refusals:
                raise
            return False
        return True

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(race, range(at_once)))


@pytest.mark.usefixtures("quick_switches")
def test_of_conditional_writes_that_race_exactly_one_wins(region: Region) -> None:
    dynamodb, s3 = region.client("dynamodb"), region.client("s3")
    dynamodb.create_table(
        TableName="locks",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="marks", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for turn in range(ROUNDS):

        def lock(number: int, key: str = f"lock{turn}") -> object:
            return dynamodb.update_item(
                TableName="locks",
                Key={"pk": {"S": key}},
                UpdateExpression="SET #o = :me",
                ConditionExpression="attribute_not_exists(#o)",
                ExpressionAttributeNames={"#o": "owner"},
                ExpressionAttributeValues={":me": {"N": str(number)}},
            )

        def commit(number: int, key: str = f"mark{turn}") -> object:
            return s3.put_object(Bucket="marks", Key=key, Body=str(number).encode(), IfNoneMatch="*")

        assert (_won(lock), _won(commit)) == (1, 1), f"turn {turn}"


def test_a_fault_can_linger(region: Region) -> None:
    began = time.monotonic()
    with region.faults.during(after=lambda _call: time.sleep(0.2)):
        region.client("ec2").describe_volumes()
    assert time.monotonic() - began >= 0.2


def test_the_endpoint_listens_on_loopback_only_and_is_relayed_to_the_nodes(region: Region, plane: FolderPlane) -> None:
    port = int(region.endpoint.rpartition(":")[2])
    assert plane.relayed == [port]
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", port))  # taken, if the endpoint listened on every address


def test_a_region_starts_empty_in_its_own_account(region: Region) -> None:
    assert region.client("sts").get_caller_identity()["Account"] == "111122223333"
    assert region.client("ec2").describe_snapshots()["Snapshots"] == []
    assert region.client("s3").list_buckets()["Buckets"] == []


def test_one_region_runs_at_a_time(region: Region, plane: FolderPlane) -> None:
    assert region.endpoint
    with pytest.raises(RuntimeError, match="runs already"):
        Region(plane).start()


def test_a_stopped_region_has_ended_what_it_started(plane: FolderPlane, layer: Path) -> None:
    environment = dict(os.environ)
    region = Region(plane, layer=layer)
    endpoint = region.start()
    a_function(region, "who", "import os\ndef handler(event, context): return os.getpid(), os.getppid()\n")
    pids = invoked(region, "who", {})[1]
    region.stop()
    region.stop()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert dict(os.environ) == environment
    with socket.socket() as late:
        assert late.connect_ex(("127.0.0.1", int(endpoint.rpartition(":")[2]))) != 0
