"""Calls are refused, throttled, lost and slowed down as the plan says, and no others."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from sandbox.faults import NeverStruckError, armed
from sandbox.region import Node, Region, VolumeSpec
from tests.workflow.faults.scene import plan
from tests.workflow.region.shapes import a_function, eventually

pytestmark = pytest.mark.sampled

ZONE = "eu-central-1a"


@pytest.fixture(scope="module")
def nodes(region: Region) -> list[Node]:
    volumes = [VolumeSpec(device="/dev/sdf", size_gib=1), VolumeSpec(device="/dev/sdg", size_gib=1)]
    return [region.launch_node(f"demo-a{n}", f"10.77.0.{10 + n}", volumes=volumes) for n in (1, 2)]


def codes(
    region: Region,
    times: int,
    service: str = "ec2",
    call: str = "describe_volumes",
    **request: Any,  # noqa: ANN401  # any request
) -> list[str]:
    """What becomes of so many calls: an error's code, or nothing."""
    client = region.client(service, attempts=1)
    return [code_of(lambda: getattr(client, call)(**request)) for _ in range(times)]


def code_of(call: Any) -> str:  # noqa: ANN401  # any callable
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except HTTPClientError:
        return "(lost)"
    return ""


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("nth: 2", ["", "Oops", "", ""]),
        ("first: 2", ["Oops", "Oops", "", ""]),
        ("every: true", ["Oops"] * 4),
        ("caller: oper*, nth: 1", ["Oops", "", "", ""]),
    ],
)
def test_an_error_answers_the_calls_that_the_plan_counts(region: Region, how: str, told: list[str]) -> None:
    with armed(region, plan(f"kind: api, call: ec2.DescribeVolumes, answer: error, code: Oops, {how}")):
        assert codes(region, 4) == told
        assert codes(region, 1, call="describe_instances") == [""], "another call was struck"
    assert codes(region, 1) == [""], "a plan went on striking when it was disarmed"


def test_calls_of_other_callers_are_left_alone(region: Region) -> None:
    fault = plan("kind: api, call: ec2.DescribeVolumes, answer: error, code: Oops, caller: events, every: true")
    with armed(region, fault, must_strike=False) as arms:
        assert codes(region, 2) == ["", ""]
        assert arms.struck == 0


@pytest.mark.parametrize(
    ("call", "service", "method", "code"),
    [
        ("ec2.DescribeVolumes", "ec2", "describe_volumes", "RequestLimitExceeded"),
        ("s3.ListBuckets", "s3", "list_buckets", "SlowDown"),
        ("ssm.DescribeParameters", "ssm", "describe_parameters", "ThrottlingException"),
        ("lambda.ListFunctions", "lambda", "list_functions", "TooManyRequestsException"),
        ("stepfunctions.ListStateMachines", "stepfunctions", "list_state_machines", "ThrottlingException"),
        ("dynamodb.ListTables", "dynamodb", "list_tables", "ThrottlingException"),
    ],
)
def test_a_throttle_speaks_as_its_service(region: Region, call: str, service: str, method: str, code: str) -> None:
    with armed(region, plan(f"kind: api, call: {call}, answer: throttle")):
        assert codes(region, 2, service, method) == [code, ""]


@pytest.mark.parametrize(("when", "made"), [("after", 1), ("before", 0)])
def test_a_lost_answer_leaves_the_effect_or_not(region: Region, when: str, made: int) -> None:
    before = len(region.ec2.backend.volumes)
    with armed(region, plan(f"kind: api, call: ec2.CreateVolume, answer: lost, when: {when}")):
        assert codes(region, 1, call="create_volume", AvailabilityZone=ZONE, Size=1) == ["(lost)"]
    assert len(region.ec2.backend.volumes) - before == made


def test_a_slow_answer_comes_late(region: Region) -> None:
    with (
        region.recorder.recording() as record,
        armed(region, plan("kind: api, call: ec2.DescribeVolumes, answer: slow, slow_s: 0.4")),
    ):
        assert codes(region, 2) == ["", ""]
    first, second = [call.seconds for call in record.calls]
    assert first >= 0.4 > second


def test_only_calls_that_name_the_node_are_struck(region: Region, nodes: list[Node]) -> None:
    fault = "kind: api, call: ec2.DescribeInstances, answer: error, code: Oops, every: true"
    for name in ("2", "demo-a2", "a2", "10.77.0.12", nodes[1].instance_id):
        with armed(region, plan(f"{fault}, node: {name}")):
            told = [codes(region, 1, call="describe_instances", InstanceIds=[node.instance_id])[0] for node in nodes]
            assert told == ["", "Oops"], name


def test_there_is_no_capacity_for_a_type_for_so_many_calls(region: Region, nodes: list[Node]) -> None:
    found = region.client("ec2").describe_instances(InstanceIds=[nodes[0].instance_id])["Reservations"][0]["Instances"]
    request = {"ImageId": found[0]["ImageId"], "MinCount": 1, "MaxCount": 1, "SubnetId": found[0]["SubnetId"]}
    with armed(region, plan("kind: capacity, types: [i4i.large], first: 2")):
        small = codes(region, 1, call="run_instances", InstanceType="m5.large", **request)
        large = codes(region, 3, call="run_instances", InstanceType="i4i.large", **request)
    assert (small, large) == ([""], ["InsufficientInstanceCapacity"] * 2 + [""])


def states(region: Region, cut: dict[str, Any]) -> list[tuple[str, str]]:
    ids = [snapshot["SnapshotId"] for snapshot in cut["Snapshots"]]
    found = region.client("ec2").describe_snapshots(SnapshotIds=ids)["Snapshots"]
    return [(snapshot["State"], snapshot.get("StateMessage", "")) for snapshot in found]


def cut(region: Region, node: Node) -> dict[str, Any]:
    made: dict[str, Any] = region.client("ec2").create_snapshots(InstanceSpecification={"InstanceId": node.instance_id})
    return made


def test_a_member_of_the_set_of_one_node_ends_in_error(region: Region, nodes: list[Node]) -> None:
    with armed(region, plan("kind: snapshot, fate: error, node: a2, message: broken")):
        good, bad = (cut(region, node) for node in nodes)
    assert ("error", "broken") in states(region, bad)
    assert eventually(lambda: {state for state, _ in states(region, good)} == {"completed"})


def test_a_slow_set_stays_pending(region: Region, nodes: list[Node]) -> None:
    with armed(region, plan("kind: snapshot, fate: slow, pending_s: 300, node: a1")):
        slow, quick = (cut(region, node) for node in nodes)
    assert eventually(lambda: {state for state, _ in states(region, quick)} == {"completed"})
    assert {state for state, _ in states(region, slow)} == {"pending"}


def test_a_key_that_is_not_usable_breaks_snapshots_volumes_and_calls(region: Region, nodes: list[Node]) -> None:
    breaks = [plan(f"kind: kms, breaks: {what}") for what in ("snapshot", "volume", "call")]
    with armed(region, breaks[0]):
        made = cut(region, nodes[0])
    assert ("error", "Given key ID is not accessible") in states(region, made)
    ec2 = region.client("ec2")
    with armed(region, breaks[1]):
        volumes = [ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(2)]
    assert eventually(
        lambda: [ec2.describe_volumes(VolumeIds=[v])["Volumes"][0]["State"] for v in volumes] == ["error", "available"]
    )
    with armed(region, breaks[2]):
        assert codes(region, 2, "kms", "list_keys") == ["KMSInvalidStateException", ""]


def test_a_call_of_one_states_lambda_is_struck_and_not_the_same_call_of_others(region: Region) -> None:
    code = "import boto3\ndef handler(event, context):\n    return str(boto3.client('ec2').describe_volumes())\n"
    a_function(region, "caller", code)
    fault = "kind: api, call: ec2.DescribeVolumes, answer: error, code: Oops, every: true, state: backup.PlanBackup"
    with armed(region, plan(fault), must_strike=False) as arms:
        assert codes(region, 1) == [""]
        assert "FunctionError" not in region.client("lambda").invoke(FunctionName="caller", Payload="{}")
        assert arms.struck == 0


def test_a_fault_that_never_struck_is_an_error_that_names_it(region: Region) -> None:
    with (
        pytest.raises(NeverStruckError, match=r"^fault 2 \(throttle ec2.RunInstances\) never struck$"),
        armed(
            region,
            plan(
                "kind: api, call: ec2.DescribeVolumes, answer: throttle",
                "kind: api, call: ec2.RunInstances, answer: throttle",
            ),
        ),
    ):
        assert codes(region, 1) == ["RequestLimitExceeded"]


def test_plans_may_be_armed_together_and_end_in_any_order(region: Region) -> None:
    first = armed(region, plan("kind: event, source: none, fate: lost"), must_strike=False)
    second = armed(region, plan("kind: event, source: other, fate: lost"), must_strike=False)
    before = region.bus.fate
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert region.bus.fate("other", "x", {}).copies == 0
    second.__exit__(None, None, None)
    assert region.bus.fate("other", "x", {}) == before("other", "x", {})
