"""What each step's role may do: exactly this, under these conditions."""

import re

import pytest

from infra.config import Config
from infra.grants import instance_conditions
from infra.journeys import JOURNEYS, construct_id
from tests.infra.synthesis import Synthesis, spelt

LOGS_AND_TRACES = {
    "logs:CreateLogStream logs",
    "logs:PutLogEvents logs",
    "xray:PutTelemetryRecords *",
    "xray:PutTraceSegments *",
}
CATALOG_KEY = {"kms:Decrypt key", "kms:DescribeKey key", "kms:Encrypt key", "kms:GenerateDataKey key"}
GET = {"dynamodb:GetItem catalog"} | CATALOG_KEY
PUT = {"dynamodb:PutItem catalog"} | CATALOG_KEY
UPDATE = {"dynamodb:UpdateItem catalog"} | CATALOG_KEY
READ_RUNS = {"s3:GetObject runs/*", "s3:ListBucket vault", "kms:Decrypt key"}
WRITE_RUNS = {"s3:PutObject runs/*", "kms:GenerateDataKey key"}
READ_POINTS = {"s3:GetObject clusters/*/points/*"}
WRITE_POINTS = {"s3:PutObject clusters/*/points/*", "kms:GenerateDataKey key"}
READ_INVENTORY = {"s3:GetObject clusters/*/inventory.json"}
WRITE_INVENTORY = {"s3:PutObject clusters/*/inventory.json", "kms:GenerateDataKey key"}
BULK = READ_RUNS | WRITE_RUNS
SEND = {"ssm:SendCommand instance/*", "ssm:GetCommandInvocation *", "ssm:ListCommandInvocations *"}
SNAPSHOTS = {"ec2:DescribeSnapshots *"}


def verbs(*names: str) -> set[str]:
    return {f"ssm:SendCommand document/aerokeep-{name}" for name in names} | SEND


CUT = {"ec2:CreateSnapshots instance/*", "ec2:CreateSnapshots volume/*", "ec2:CreateSnapshots snapshot/*"}
FIND = {"ec2:DescribeInstances *", "ec2:DescribeVolumes *", "ssm:DescribeInstanceInformation *"}

BACKUP: dict[str, set[str]] = {
    "AcquireLock": {"ssm:GetParameter parameter/aerokeep/clusters/*"} | GET | PUT | UPDATE | WRITE_RUNS,
    "DiscoverCluster": FIND | verbs("survey") | GET | BULK,
    "PlanBackup": BULK,
    "StopWrites": verbs("stop-writes", "resume-writes") | UPDATE | BULK,
    "CutSnapshots": CUT | {"ec2:CreateTags snapshot/*", "ec2:DescribeInstances *"} | SNAPSHOTS | GET | UPDATE | BULK,
    "ResumeWrites": verbs("resume-writes") | BULK,
    "TagSnapshots": {"ec2:CreateTags snapshot/*"} | GET | READ_RUNS,
    "CaptureMetadata": verbs("capture") | GET | BULK | WRITE_POINTS,
    "CheckSnapshots": SNAPSHOTS | READ_RUNS,
    "VerifyPoint": SNAPSHOTS | BULK | READ_POINTS,
    "CommitPoint": GET | PUT | READ_RUNS | READ_POINTS | WRITE_POINTS | READ_INVENTORY | WRITE_INVENTORY,
    "ReleaseLock": UPDATE,
    "AbandonPoint": verbs("resume-writes")
    | SNAPSHOTS
    | {"ec2:DeleteSnapshot snapshot/*"}
    | GET
    | PUT
    | UPDATE
    | READ_RUNS
    | READ_POINTS
    | WRITE_POINTS,
}

# IAM knows no resource for these (aws.md §I1, §I2): the only actions that may stand beside "*".
UNSCOPED = {
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "ssm:DescribeInstanceInformation",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
LOOK = verbs("health") | BULK
CREATE_VOLUMES = {"ec2:CreateVolume volume/*", "ec2:CreateVolume snapshot/*", "ec2:CreateTags volume/*"}
MOVE_VOLUMES = {f"ec2:{act}Volume {on}/*" for act in ("Attach", "Detach") for on in ("instance", "volume")}
VOLUMES = {"ec2:DescribeVolumes *"}

RESTORE: dict[str, set[str]] = {
    "AcquireLock": {"ssm:GetParameter parameter/aerokeep/clusters/*"} | GET | UPDATE | BULK,
    "SurveyCluster": FIND | verbs("survey") | BULK,
    "PlanRestore": SNAPSHOTS | VOLUMES | BULK | READ_POINTS,
    "RelaunchNodes": BULK,
    "FenceCluster": verbs("stop") | GET | BULK,
    "CreateVolumes": CREATE_VOLUMES | VOLUMES | GET | BULK,
    "SwapVolumes": {"ec2:CreateTags volume/*"} | MOVE_VOLUMES | VOLUMES | GET | BULK,
    "StageNodes": verbs("stage") | GET | BULK | READ_POINTS,
    "StartCluster": verbs("start") | GET | BULK,
    "CheckCluster": LOOK,
    "OpenWrites": verbs("open-writes") | GET | BULK,
    "VerifyRestore": LOOK,
    "ReleaseLock": GET | UPDATE | READ_RUNS | READ_POINTS | WRITE_INVENTORY,
    "RollBack": verbs("stop", "stage", "start")
    | {"ec2:CreateTags volume/*", "ec2:DeleteTags volume/*"}
    | MOVE_VOLUMES
    | VOLUMES
    | GET
    | UPDATE
    | BULK,
    "HaltRestore": GET | UPDATE,
}
DESCRIBE_EXECUTIONS = {"states:DescribeExecution execution:aerokeep-*:*"}
GUARDIAN: dict[str, set[str]] = {
    "FindDeadRuns": {
        "ssm:GetParameter parameter/aerokeep/clusters/*",
        "ssm:GetParametersByPath parameter/aerokeep/clusters",
    }
    | DESCRIBE_EXECUTIONS
    | GET,
    "SettleRun": BACKUP["AbandonPoint"]
    | DESCRIBE_EXECUTIONS
    | {"sns:Publish aerokeep-failures", "kms:Decrypt key", "kms:GenerateDataKey key"},
}
PERMISSIONS = {"backup": BACKUP, "restore": RESTORE, "guardian": GUARDIAN}
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
def test_a_role_may_do_what_its_step_does_and_nothing_more(synthesis: Synthesis, journey: str, state: str) -> None:
    statements = synthesis.role_of(journey, state)
    granted = {f"{action} {brief(r)}" for s in statements for action in s["Action"] for r in s["Resource"]}
    assert granted == PERMISSIONS[journey][state] | LOGS_AND_TRACES


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
    for state in BACKUP:
        tagging = {"ec2:CreateTags snapshot/*": at_creation if state == "CutSnapshots" else of_a_run}
        for statement in synthesis.role_of("backup", state):
            (action, *_), (resource, *_) = statement["Action"], map(brief, statement["Resource"])
            if resource.startswith(("instance/", "volume/", "snapshot/")):
                seen.add(f"{action} {resource}")
                assert statement.get("Condition") == (ours | tagging)[f"{action} {resource}"]
    assert seen == {*ours, "ec2:CreateTags snapshot/*"}


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
    assert [any(construct_id(journey) in arn for arn in started) for journey in ("backup", "guardian")] == [True] * 2
    assert len(started) == 2
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
