"""What the sandbox deploys is what ``make synth`` wrote, and the region holds every property of it."""

import json
from typing import Any

import pytest

from tests.told import told_of_executions
from tests.workflow.backup.estate import CDK_OUT, Estate

STACKS = ("AerokeepStorage", "AerokeepDocuments", "AerokeepWorkflow", "AerokeepTrigger")


def template_of(stack: str) -> bytes:
    return (CDK_OUT / f"{stack}.template.json").read_bytes()


def test_the_stacks_are_ours_and_no_other(estate: Estate) -> None:
    assert sorted(estate.stacks) == sorted(STACKS)


@pytest.mark.parametrize("stack", STACKS)
def test_a_deployed_template_is_byte_for_byte_the_synthesized_one(estate: Estate, stack: str) -> None:
    artifact = json.loads((CDK_OUT / "manifest.json").read_text())["artifacts"][stack]
    url = artifact["properties"]["stackTemplateAssetObjectUrl"].removeprefix("s3://")
    bucket, _, key = url.partition("/")
    for place, value in {"${AWS::AccountId}": estate.region.account, "${AWS::Region}": estate.region.region}.items():
        bucket = bucket.replace(place, value)
    uploaded = estate.region.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert uploaded == template_of(stack)
    # boto3 parses the body that CloudFormation gives back, so this one is compared as JSON.
    body = estate.region.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    assert (body if isinstance(body, dict) else json.loads(body)) == json.loads(template_of(stack))


@pytest.mark.parametrize("stack", STACKS)
def test_the_region_holds_every_property_of_every_resource(estate: Estate, stack: str) -> None:
    template = json.loads(template_of(stack))
    assert len(template["Resources"]) > 1
    assert estate.region.compare(template, stack) == []


def test_the_comparison_can_fail(estate: Estate) -> None:
    template = json.loads(template_of("AerokeepTrigger"))
    schedules = [r for r in template["Resources"].values() if r["Type"] == "AWS::Scheduler::Schedule"]
    schedules[0]["Properties"]["ScheduleExpression"] = "cron(1 3 * * ? *)"
    assert [d.path for d in estate.region.compare(template, "AerokeepTrigger")] == ["ScheduleExpression"]


def test_the_schedule_starts_a_backup_at_its_scheduled_time(estate: Estate) -> None:
    schedule = estate.region.client("scheduler").get_schedule(GroupName="aerokeep", Name="backup-demo")
    target = schedule["Target"]
    assert target["Arn"] == estate.outputs["BackupMachineArn"]
    assert json.loads(target["Input"]) == {"cluster": "demo", "scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 15 * 60
    assert target["DeadLetterConfig"]["Arn"].startswith("arn:aws:sqs:")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 3 * * ? *)",
        "Europe/Berlin",
    )


def test_the_failure_rule_watches_our_machines_and_tells_our_topic(estate: Estate) -> None:
    events = estate.region.client("events")
    rule = next(r for r in events.list_rules()["Rules"] if "executions" in r.get("Description", ""))
    detail: dict[str, Any] = json.loads(rule["EventPattern"])["detail"]
    machines = {arn for name, arn in estate.outputs.items() if name.endswith("MachineArn")}
    assert set(detail["stateMachineArn"]) == machines
    assert sorted(detail["status"]) == ["ABORTED", "FAILED", "TIMED_OUT"]
    targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert [target["Arn"] for target in targets] == [estate.outputs["FailuresTopicArn"]]


def test_a_failed_execution_is_told_to_the_topic_with_its_error(estate: Estate) -> None:
    topic = estate.outputs["FailuresTopicArn"]
    ended = estate.run(cluster="nobody-knows")
    assert ended.status == "FAILED"
    told = [detail for detail in told_of_executions(estate.region, topic) if detail["executionArn"] == ended.arn]
    assert [(detail["status"], detail["error"]) for detail in told] == [("FAILED", "RejectedError")]
    assert "unknown_cluster" in told[0]["cause"]
    assert estate.region.bus.failures == []
