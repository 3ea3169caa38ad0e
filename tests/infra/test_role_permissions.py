"""Under which conditions roles may do what they may; that they need it all, and nothing else: tests/permissions."""

import re

import pytest

from infra.config import Config
from infra.grants import instance_conditions
from infra.journeys import JOURNEYS, construct_id
from tests.infra.synthesis import Synthesis, spelt

# IAM knows no resource for these (aws.md §I1, §I2): the only actions that may stand beside "*".
UNSCOPED = {
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricData",  # the namespace of the metric is its condition
    "ec2:DescribeImages",
    "ec2:DescribeInstanceCreditSpecifications",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",
    "ec2:DescribeLockedSnapshots",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSnapshots",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeVolumes",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
STEPS = [(journey, step.state) for journey, steps in JOURNEYS.items() for step in steps]
every_step = pytest.mark.parametrize(("journey", "state"), STEPS)


def brief(resource: str) -> str:
    """``arn:…:instance/*`` → ``instance/*``; imports of the storage stack by what they are."""
    for export, name in (("GetAttCatalog", "catalog"), ("GetAttKey", "key"), ("GetAttVault", "vault")):
        if export in resource:
            prefix = resource.partition("/")[2]
            return prefix or name
    if "Logs" in resource:
        return "logs"
    return re.sub(r"<AWS::\w+>", "", resource).split(":", 5)[5] if resource.startswith("arn:") else resource


@every_step
def test_only_what_cannot_be_scoped_is_granted_on_everything(synthesis: Synthesis, journey: str, state: str) -> None:
    for statement in synthesis.role_of(journey, state):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        if "*" in statement["Resource"]:
            assert set(statement["Action"]) <= UNSCOPED


def test_what_works_on_instances_and_snapshots_works_on_ours_only(synthesis: Synthesis) -> None:
    at_creation = {"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}}
    of_a_run = {"StringLike": {"aws:ResourceTag/aerokeep:run": "*"}}
    ours = {
        "ssm:SendCommand instance/*": {"StringEquals": {"aws:ResourceTag/aerokeep-demo": ["demo"]}},
        "ec2:CreateSnapshots instance/*": {"StringEquals": {"aws:ResourceTag/aerokeep-demo": ["demo"]}},
        "ec2:CreateSnapshots volume/*": None,  # operators need not tag volumes; the instance decides
        "ec2:CreateSnapshots snapshot/*": {
            "StringEquals": {"aws:RequestTag/aerokeep:cluster": ["demo"]},
            "Null": {"aws:RequestTag/aerokeep:run": "false"},
        },
        "ec2:DeleteSnapshot snapshot/*": of_a_run,
    }
    seen = set()
    for state in {step.state for step in JOURNEYS["backup"]} - {
        "ProtectNodes"
    }:  # it cuts nothing; the test below asks of every step
        tagging = {"ec2:CreateTags snapshot/*": at_creation if state == "CutSnapshots" else of_a_run}
        for statement in synthesis.role_of("backup", state):
            (action, *_), (resource, *_) = statement["Action"], map(brief, statement["Resource"])
            if resource.startswith(("instance/", "volume/", "snapshot/")):
                seen.add(f"{action} {resource}")
                assert statement.get("Condition") == (ours | tagging)[f"{action} {resource}"]
    assert seen == {*ours, "ec2:CreateTags snapshot/*"}


@every_step
def test_whatever_is_done_to_instances_that_exist_is_done_to_the_clusters_alone(
    synthesis: Synthesis, journey: str, state: str
) -> None:
    of_a_cluster = {"StringEquals": {"aws:ResourceTag/aerokeep-demo": ["demo"]}}
    launched = {"StringEquals": {"aws:RequestTag/aerokeep:cluster": ["demo"]}}
    tagged = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
    other = {"ec2:RunInstances": launched, "ec2:CreateTags": tagged}
    for statement in synthesis.role_of(journey, state):
        if "instance/*" in map(brief, statement["Resource"]):
            for action in statement["Action"]:
                assert statement.get("Condition") == other.get(action, of_a_cluster), action


def test_snapshot_arns_name_no_account_as_those_of_ec2_do(synthesis: Synthesis) -> None:
    resources = {
        resource
        for journey, state in STEPS
        for statement in synthesis.role_of(journey, state)
        for resource in statement["Resource"]
        if "snapshot/" in resource
    }
    assert resources == {"arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*"}


def test_clusters_with_different_tag_keys_need_a_condition_each() -> None:
    def cluster(key: str, value: str) -> dict[str, object]:
        return {"tag": {"key": key, "value": value}}

    clusters = {"a": cluster("db", "a"), "b": cluster("db", "b"), "c": cluster("role", "aerospike")}
    assert instance_conditions(Config.model_validate({"clusters": clusters})) == [
        {"StringEquals": {"aws:ResourceTag/db": ["a", "b"]}},
        {"StringEquals": {"aws:ResourceTag/role": ["aerospike"]}},
    ]


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_machine_may_call_its_steps_and_no_other_function(synthesis: Synthesis, journey: str) -> None:
    statements = synthesis.statements("AerokeepWorkflow", f"{construct_id(journey)}MachineRoleDefaultPolicy")
    (invoke,) = [s for s in statements if "lambda:InvokeFunction" in s["Action"]]
    substitutions = synthesis.machines[journey]["Properties"]["DefinitionSubstitutions"]
    assert set(invoke["Resource"]) == {spelt(target) for target in substitutions.values()}


def test_the_scheduler_may_start_what_has_a_schedule_and_report_what_it_could_not_start(synthesis: Synthesis) -> None:
    statements = synthesis.statements("AerokeepTrigger", "SchedulerRoleDefaultPolicy")
    granted = [(action, resource) for s in statements for action in s["Action"] for resource in s["Resource"]]
    started = sorted(resource for action, resource in granted if action == "states:StartExecution")
    assert {action for action, _ in granted} == {"sqs:SendMessage", "states:StartExecution"}
    scheduled = ("Backup", "Guardian", "Health", "Protect")
    assert [any(f"<{name}Machine" in arn or name in arn for arn in started) for name in scheduled] == [True] * 4
    assert len(started) == 4
    assert not any("*" in resource for s in statements for resource in s["Resource"])


def test_every_document_that_a_role_may_run_exists(synthesis: Synthesis) -> None:
    documents = {
        f"document/{d['Properties']['Name']}"
        for d in synthesis.resources("AerokeepDocuments", "AWS::SSM::Document").values()
    }
    named = {
        brief(resource)
        for journey, state in STEPS
        for statement in synthesis.role_of(journey, state)
        for resource in statement["Resource"]
        if ":document/" in resource
    }
    assert named <= documents
