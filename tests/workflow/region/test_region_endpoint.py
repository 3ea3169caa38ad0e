"""The endpoint is on loopback, fails as it is told to, and leaves nothing behind."""

import os
import socket
import time
from pathlib import Path

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
