"""SSM commands are checked, delivered late, run for real, and reported as Run Command does."""

import json
import os
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.region import Node, Pace, Region
from tests.workflow.region.shapes import a_document, eventually

NAME = {"type": "String", "allowedPattern": "[a-z]+", "interpolationType": "ENV_VAR"}
ENDED = ("Success", "Failed", "TimedOut", "Cancelled")


@pytest.fixture
def node(region: Region) -> Node:
    return region.launch_node("one", "10.77.0.11")


def _document(region: Region, content: dict[str, Any], name: str = "aerokeep-test") -> str:
    region.client("ssm").create_document(Name=name, Content=json.dumps(content), DocumentType="Command")
    return name


def _send(region: Region, node: Node, document: str, **parameters: str) -> str:
    given = {name: [value] for name, value in parameters.items()}
    answer = region.client("ssm").send_command(DocumentName=document, InstanceIds=[node.instance_id], Parameters=given)
    return str(answer["Command"]["CommandId"])


def _look(region: Region, node: Node, command: str) -> dict[str, Any]:
    found: dict[str, Any] = region.client("ssm").get_command_invocation(CommandId=command, InstanceId=node.instance_id)
    return found


def _ended(region: Region, node: Node, command: str) -> dict[str, Any]:
    assert eventually(lambda: _look(region, node, command)["Status"] in ENDED)
    return _look(region, node, command)


def test_a_command_runs_with_its_parameters_in_the_environment(region: Region, node: Node) -> None:
    document = _document(region, a_document("#!/bin/sh", 'echo "$SSM_Name on $NODE"; echo oops >&2; exit 4', Name=NAME))
    command = _send(region, node, document, Name="abc")
    assert _look(region, node, command)["Status"] in ("Pending", "InProgress")
    found = _ended(region, node, command)
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 4)
    assert found["StandardOutputContent"] == f"abc on {node.instance_id}\n"
    assert found["StandardErrorContent"] == "oops\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Parameters": {"Name": ["UPPER"]}}, "InvalidParameters"),
        ({"Parameters": {}}, "InvalidParameters"),
        ({"Parameters": {"Name": ["a"], "Other": ["b"]}}, "InvalidParameters"),
        ({"DocumentName": "unknown"}, "InvalidDocument"),
        ({"InstanceIds": ["i-0123456789abcdef0"]}, "InvalidInstanceId"),
        ({"InstanceIds": [f"i-{n:017x}" for n in range(51)]}, "ValidationException"),
        ({"TimeoutSeconds": 29}, "ValidationException|Invalid"),
    ],
)
def test_a_command_that_cannot_run_is_refused(region: Region, node: Node, change: dict[str, Any], code: str) -> None:
    document = _document(region, a_document("true", Name=NAME))
    request = {"DocumentName": document, "InstanceIds": [node.instance_id], "Parameters": {"Name": ["a"]}, **change}
    ssm = region.client("ssm", validate=False)
    with pytest.raises(ClientError, match=code):
        ssm.send_command(**request)


def test_a_node_whose_agent_is_gone_is_refused_and_seen_to_be_lost(region: Region, node: Node) -> None:
    region.set_agent(node.instance_id, online=False)
    ssm = region.client("ssm")
    filters = [{"Key": "InstanceIds", "Values": [node.instance_id]}]
    entry = ssm.describe_instance_information(Filters=filters)["InstanceInformationList"][0]
    assert (entry["PingStatus"], entry["AgentVersion"]) == ("ConnectionLost", "3.3.2746.0")
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        _send(region, node, _document(region, a_document("true")))


def test_output_is_cut_to_what_the_api_gives(region: Region, node: Node) -> None:
    line = "head -c 30000 /dev/zero | tr '\\0' x; head -c 9000 /dev/zero | tr '\\0' y >&2"
    found = _ended(region, node, _send(region, node, _document(region, a_document(line))))
    assert (len(found["StandardOutputContent"]), len(found["StandardErrorContent"])) == (24_000, 8_000)


def test_a_detached_child_does_not_hold_the_command(region: Region, node: Node) -> None:
    line = "setsid sleep 20 & echo $!"
    began = time.monotonic()
    found = _ended(region, node, _send(region, node, _document(region, a_document(line))))
    assert found["Status"] == "Success"
    assert time.monotonic() - began < 10
    os.kill(int(found["StandardOutputContent"]), 9)


def test_a_command_over_its_time_is_killed(region: Region, node: Node) -> None:
    found = _ended(region, node, _send(region, node, _document(region, a_document("sleep 20", timeout_s="0.3"))))
    assert (found["Status"], found["StatusDetails"], found["ResponseCode"]) == ("TimedOut", "ExecutionTimedOut", -1)


def test_five_commands_run_at_once_on_a_node_and_the_sixth_waits(region: Region, node: Node) -> None:
    gate = region.plane.host_dir(node.instance_id) / "gate"
    document = _document(region, a_document(f"echo begun; until test -e {gate}; do sleep 0.05; done"))
    commands = [_send(region, node, document) for _ in range(6)]
    folder = region.plane.host_dir(node.instance_id) / "ssm"

    def begun() -> int:
        return sum("begun" in path.read_text() for path in folder.glob("*/stdout"))

    assert eventually(lambda: begun() == 5)
    time.sleep(0.2)
    assert begun() == 5
    gate.touch()
    assert all(_ended(region, node, command)["Status"] == "Success" for command in commands)


def test_a_running_command_can_be_cancelled(region: Region, node: Node) -> None:
    command = _send(region, node, _document(region, a_document("sleep 20")))
    assert eventually(lambda: region.commands.invocation(command, node.instance_id).process is not None)
    region.client("ssm").cancel_command(CommandId=command)
    assert _ended(region, node, command)["Status"] == "Cancelled"


@pytest.mark.parametrize("pace", [Pace(ssm_invisible_s=3.0)])
def test_an_invocation_is_not_to_be_seen_in_its_first_moments(region: Region, node: Node) -> None:
    command = _send(region, node, _document(region, a_document("true")))
    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        _look(region, node, command)
    assert region.client("ssm").list_command_invocations(CommandId=command)["CommandInvocations"] == []
    time.sleep(3.0)
    assert _ended(region, node, command)["Status"] == "Success"


@pytest.mark.parametrize("pace", [Pace(ssm_delivery_s=2.0, ssm_jitter_s=0.0)])
def test_a_command_waits_for_an_agent_that_went_away_after_it_was_sent(region: Region, node: Node) -> None:
    command = _send(region, node, _document(region, a_document("true")))
    region.set_agent(node.instance_id, online=False)
    time.sleep(2.5)
    assert _look(region, node, command)["Status"] == "Pending"
    region.set_agent(node.instance_id, online=True)
    assert _ended(region, node, command)["Status"] == "Success"


def test_invocations_are_listed_in_pages_with_details(region: Region, node: Node) -> None:
    document = _document(region, a_document("echo hello"))
    commands = [_send(region, node, document) for _ in range(3)]
    for command in commands:
        _ended(region, node, command)
    pages = list(
        region.client("ssm")
        .get_paginator("list_command_invocations")
        .paginate(InstanceId=node.instance_id, Details=True, PaginationConfig={"PageSize": 2})
    )
    listed = [entry for page in pages for entry in page["CommandInvocations"]]
    assert [len(page["CommandInvocations"]) for page in pages] == [2, 1]
    assert {entry["CommandId"] for entry in listed} == set(commands)
    assert {entry["CommandPlugins"][0]["Output"] for entry in listed} == {"hello\n"}
