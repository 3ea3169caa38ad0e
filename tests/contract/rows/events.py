"""EventBridge: which events a rule takes, what its targets get, and what becomes of what can't be delivered."""

import json
from functools import partial
from typing import Any

from sandbox.region import Pace
from sandbox.region.bus import LOST, TWICE, Fate, late
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, heard, next_message, queue, received, role, started

GUIDE = "EventBridge user guide"
PATTERNS = f"{GUIDE}, Comparison operators for use in event patterns"
EC2_GUIDE = "EC2 user guide, State change events"
EBS_GUIDE = "EBS user guide, EventBridge for Amazon EBS"
NO_HANDLE = "nobody can make a real service lose its events"

CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ("the beginning of a text", {"name": [{"prefix": "aerokeep-"}]}, {"name": "aerokeep-a"}, {"name": "other"}),
    ("anything but some values", {"state": [{"anything-but": ["OK"]}]}, {"state": "ALARM"}, {"state": "OK"}),
    ("a range of numbers", {"age": [{"numeric": [">", 1, "<=", 5]}]}, {"age": 5}, {"age": 6}),
    ("the presence of a field", {"error": [{"exists": True}]}, {"error": "x"}, {"cause": "x"}),
    ("the absence of a field", {"error": [{"exists": False}]}, {"cause": "x"}, {"error": "x"}),
    ("one of several conditions", {"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 0, "b": 2}, {"a": 0, "b": 1}),
    ("one of an array's elements", {"ids": ["b"]}, {"ids": ["a", "b"]}, {"ids": ["a"]}),
)


def _matches(pattern: dict[str, Any], fits: dict[str, Any], misses: dict[str, Any], aws: Account) -> None:
    name = a_name()
    url = heard(aws, {"source": [name], "detail": pattern}, InputPath="$.detail")
    entries = [{"Source": name, "DetailType": "row", "Detail": json.dumps(detail)} for detail in (misses, fits)]
    aws.client("events").put_events(Entries=entries)
    assert json.loads(next_message(aws, url)["Body"]) == fits
    assert received(aws, url) == []


for _what, _pattern, _fits, _misses in CASES:
    behaviour(f"A rule can ask for {_what}.", source=PATTERNS)(partial(_matches, _pattern, _fits, _misses))


@behaviour(
    "Both pattern and detail must fit: every field that a pattern names, at every depth.",
    source=f"{GUIDE}, Event patterns",
)
def _all_fields(aws: Account) -> None:
    _matches({"state": {"value": ["ALARM"]}}, {"state": {"value": "ALARM"}}, {"value": "ALARM"}, aws)


@behaviour(
    "An input transformer fills its template: text within quotes, JSON outside of them.",
    source=f"{GUIDE}, Input transformation",
    hooks=("moto.events.models:Rule.send_to_targets",),
)
def _transforms(aws: Account) -> None:
    name = a_name()
    transformer = {
        "InputPathsMap": {"word": "$.detail.word", "list": "$.detail.list"},
        "InputTemplate": '{"said": "I say <word>", "word": <word>, "list": <list>}',
    }
    url = heard(aws, {"source": [name]}, InputTransformer=transformer)
    detail = json.dumps({"word": "hello", "list": [1, {"a": 2}]})
    aws.client("events").put_events(Entries=[{"Source": name, "DetailType": "row", "Detail": detail}])
    told = json.loads(next_message(aws, url)["Body"])
    assert told == {"said": "I say hello", "word": "hello", "list": [1, {"a": 2}]}


@behaviour(
    "An event for a target that does not exist ends in the target's dead-letter queue, with the reason.",
    source=f"{GUIDE}, Using dead-letter queues to process undelivered events",
)
def _dead_letter(aws: Account) -> None:
    (url, arn), name, events = queue(aws), a_name(), aws.client("events")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    place = ":".join(rule.split(":")[3:5])
    target = {
        "Id": "t",
        "Arn": f"arn:aws:states:{place}:stateMachine:no-such-machine",
        "RoleArn": role(aws),
        "DeadLetterConfig": {"Arn": arn},
        "Input": '{"for": "the row"}',
    }
    events.put_targets(Rule=name, Targets=[target])
    aws.later(lambda: events.delete_rule(Name=name))
    aws.later(lambda: events.remove_targets(Rule=name, Ids=["t"]))
    events.put_events(Entries=[{"Source": name, "DetailType": "row", "Detail": "{}"}])
    message = next_message(aws, url)
    told = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert told["RULE_ARN"] == rule
    assert told["TARGET_ARN"] == target["Arn"]
    assert told["ERROR_CODE"]
    assert "for" in message["Body"]


@behaviour(
    "A state of an instance becomes an event of aws.ec2.",
    source=EC2_GUIDE,
    sandbox_only="the row has to be quicker than a real instance",
)
def _instances(aws: Account) -> None:
    node = aws.node().instance_id
    pattern = {"detail-type": ["EC2 Instance State-change Notification"], "detail": {"state": ["stopped"]}}
    url = heard(aws, pattern)
    aws.client("ec2").stop_instances(InstanceIds=[node])
    told = json.loads(next_message(aws, url)["Body"])
    assert told["detail"] == {"instance-id": node, "state": "stopped"}
    assert told["resources"][0].endswith(f":instance/{node}")


@behaviour(
    "The end of a whole snapshot set becomes one event, which names its members.",
    source=f"{EBS_GUIDE}, createSnapshots",
    calls=("ec2.CreateSnapshots",),
)
def _sets(aws: Account) -> None:
    node = aws.node()
    url = heard(aws, {"detail-type": ["EBS Multi-Volume Snapshots Completion Status"]}, InputPath="$.detail")
    request = {"InstanceSpecification": {"InstanceId": node.instance_id}}
    made = aws.client("ec2").create_snapshots(**request)["Snapshots"]
    told = json.loads(next_message(aws, url)["Body"])
    assert (told["event"], told["result"]) == ("createSnapshots", "succeeded")
    members = {entry["snapshot_id"].rpartition("/")[2]: entry["source"] for entry in told["snapshots"]}
    assert set(members) == {entry["SnapshotId"] for entry in made}
    assert {entry.rpartition("/")[2] for entry in members.values()} == {node.volume_id, node.root_volume_id}


@behaviour(
    "A snapshot set with a failed member becomes an event with result failed.",
    source=f"{EBS_GUIDE}, createSnapshots",
    sandbox_only="the row has to make a snapshot fail",
    pace=Pace(snapshot_pending_s=5.0),
)
def _failed_sets(aws: Account) -> None:
    pattern = {"detail-type": ["EBS Multi-Volume Snapshots Completion Status"], "detail": {"result": ["failed"]}}
    url = heard(aws, pattern, InputPath="$.detail")
    request = {"InstanceSpecification": {"InstanceId": aws.node().instance_id}}
    made = aws.client("ec2").create_snapshots(**request)["Snapshots"]
    aws.region.snapshots.fail(made[0]["SnapshotId"], "Given key ID is not accessible")
    assert json.loads(next_message(aws, url)["Body"])["cause"] == "Given key ID is not accessible"


@behaviour(
    "The end of a single snapshot, and the beginning and end of a volume, become events.",
    source=f"{EBS_GUIDE}, createSnapshot, createVolume and deleteVolume",
)
def _single(aws: Account) -> None:
    kinds = ["EBS Snapshot Notification", "EBS Volume Notification"]
    url = heard(aws, {"source": ["aws.ec2"], "detail-type": kinds}, InputPath="$.detail")
    ec2, zone = aws.client("ec2"), _zone(aws)
    volume_id = ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3")["VolumeId"]
    assert _heads(aws, url) == ("createVolume", "available")
    snapshot_id = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    aws.later(lambda: ec2.delete_snapshot(SnapshotId=snapshot_id))
    assert _heads(aws, url) == ("createSnapshot", "succeeded")
    ec2.delete_volume(VolumeId=volume_id)
    assert _heads(aws, url) == ("deleteVolume", "deleted")


def _zone(aws: Account) -> str:
    return str(aws.client("ec2").describe_availability_zones()["AvailabilityZones"][0]["ZoneName"])


def _heads(aws: Account, url: str) -> tuple[str, str]:
    told = json.loads(next_message(aws, url)["Body"])
    return told["event"], told["result"]


# --- best effort -----------------------------------------------------------------------------------------------------

FAIL = {"F": {"Type": "Fail", "Error": "Broken"}}
ALARM = {
    "Namespace": "row",
    "MetricName": "row",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def _ended_under(aws: Account, fate: Fate) -> tuple[str, str]:
    aws.region.bus.fate = lambda _source, _type, detail: fate if detail.get("status") == "FAILED" else Fate()
    url = heard(aws, {"source": ["aws.states"], "detail": {"status": ["FAILED"]}}, InputPath="$.detail.executionArn")
    execution = started(aws, FAIL)
    client = aws.client("stepfunctions")
    assert aws.eventually(lambda: client.describe_execution(executionArn=execution)["status"] == "FAILED")
    aws.region.bus.drain()
    return url, execution


@behaviour(
    "A service's event may be lost.", source=f"{GUIDE}, Events from AWS services, best effort", sandbox_only=NO_HANDLE
)
def _lost(aws: Account) -> None:
    url, _ = _ended_under(aws, LOST)
    assert received(aws, url) == []


@behaviour(
    "A service's event may come twice.",
    source=f"{GUIDE}, Events from AWS services, best effort",
    sandbox_only=NO_HANDLE,
)
def _twice(aws: Account) -> None:
    url, execution = _ended_under(aws, TWICE)
    assert [json.loads(message["Body"]) for message in received(aws, url)] == [execution] * 2


@behaviour(
    "A service's event may come late.",
    source=f"{GUIDE}, Events from AWS services, best effort",
    sandbox_only=NO_HANDLE,
)
def _late(aws: Account) -> None:
    url, execution = _ended_under(aws, late(1.0))
    assert received(aws, url) == []
    assert json.loads(next_message(aws, url)["Body"]) == execution


@behaviour(
    "An alarm's state change is never lost.",
    source="CloudWatch user guide, Alarm events and EventBridge",
    sandbox_only=NO_HANDLE,
)
def _alarms_are_sure(aws: Account) -> None:
    aws.region.bus.fate = lambda _source, _type, _detail: LOST
    url, cloudwatch, name = heard(aws, {"source": ["aws.cloudwatch"]}), aws.client("cloudwatch"), a_name()
    cloudwatch.put_metric_alarm(AlarmName=name, **ALARM)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a drill")
    assert json.loads(next_message(aws, url)["Body"])["detail"]["alarmName"] == name
