"""The recorder keeps what was asked of AWS and what ran on hosts, with who asked and how it ended."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from sandbox.region import ApiCall, LostResponseError, Region
from sandbox.region.recorder import LOST, Record
from tests.workflow.region.shapes import a_document, a_function, eventually, invoked

EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:aerokeep-backup:one"
ASKS = """
import os
import urllib.request

CREDENTIAL = "AWS4-HMAC-SHA256 Credential={}/20260101/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0"

def handler(event, context):
    headers = {
        "Authorization": CREDENTIAL.format(os.environ["AWS_ACCESS_KEY_ID"]),
        "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    body = b"Action=DescribeVolumes&Version=2016-11-15"
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)).read()
"""


def test_calls_are_recorded_with_their_parameters_caller_and_outcome(region: Region) -> None:
    ec2 = region.client("ec2", caller="a-role", attempts=1)
    with region.recorder.recording() as record:
        ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])
        with pytest.raises(ClientError):
            ec2.delete_volume(VolumeId="vol-0123456789abcdef0")
    ec2.describe_volumes()
    read, refused = record.calls
    assert (read.service, read.action, read.caller, read.outcome) == ("ec2", "DescribeVolumes", "a-role", "")
    assert read.params["Filters"] == [{"Name": "status", "Values": ["available"]}]
    assert (refused.action, refused.outcome) == ("DeleteVolume", "InvalidVolume.NotFound")


def test_a_lambdas_calls_tell_its_handler_and_its_execution(region: Region) -> None:
    a_function(region, "asks", ASKS)
    with region.recorder.recording() as record:
        invoked(region, "asks", {"run": {"execution": EXECUTION}})
    call = next(call for call in record.calls if call.action == "DescribeVolumes")
    assert (call.caller, call.function, call.execution) == ("tester", "code.handler", EXECUTION)


def test_a_lost_answer_is_recorded_as_lost(region: Region) -> None:
    def lose(_call: ApiCall) -> None:
        raise LostResponseError

    sns, broken = region.client("sns", attempts=1), (EndpointConnectionError, HTTPClientError)
    with region.recorder.recording() as record:
        with region.faults.during(after=lose), pytest.raises(broken):
            sns.create_topic(Name="t")
        assert eventually(lambda: bool(record.calls))  # the caller is told first
    assert [(call.action, call.outcome) for call in record.calls] == [("CreateTopic", LOST)]
    assert region.client("sns").list_topics()["Topics"]


def test_bodies_are_left_out_and_what_ran_on_a_host_is_kept(region: Region, tmp_path: Path) -> None:
    region.client("s3").create_bucket(
        Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": region.region}
    )
    region.client("ssm").create_document(
        Name="go-on", Content=json.dumps(a_document("exit 3")), DocumentType="Command", DocumentFormat="JSON"
    )
    node = region.launch_node("one", "10.77.0.11")
    with region.recorder.recording() as record:
        region.client("s3").put_object(Bucket="a-bucket", Key="k", Body=b"secret bytes")
        region.client("ssm").send_command(DocumentName="go-on", InstanceIds=[node.instance_id])
        assert eventually(lambda: bool(record.acts))
    act = record.acts[0]
    assert (act.document, act.instance_id, act.status, act.exit_code) == ("go-on", node.instance_id, "Failed", 3)
    put = next(call for call in record.calls if call.action == "PutObject")
    assert put.params["Key"] == "k"
    record.write(tmp_path / "record.json")
    assert "secret bytes" not in (tmp_path / "record.json").read_text()
    assert Record.read(tmp_path / "record.json").acts == record.acts
