"""What the four stacks hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.build_products import BuildProducts
from infra.journeys import JOURNEYS, construct_id
from infra.names import DOCUMENT_PREFIX
from infra.step import Step
from infra.step_function import module_of
from tests.infra.synthesis import STACKS, Synthesis, spelt

STORAGE, DOCUMENTS, WORKFLOW, TRIGGER = STACKS
MOST_TEMPLATE_BYTES = 800_000
MOST_RESOURCES = 400
MOST_DOCUMENT_BYTES = 64 * 1024


def properties(synthesis: Synthesis, stack: str, kind: str, name_starts: str = "") -> dict[str, Any]:
    found: dict[str, Any] = synthesis.only(stack, kind, name_starts)["Properties"]
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_a_template_stays_far_from_the_limits_of_cloudformation(synthesis: Synthesis, stack: str) -> None:
    assert synthesis.template_path(stack).stat().st_size < MOST_TEMPLATE_BYTES
    assert len(synthesis.templates[stack]["Resources"]) < MOST_RESOURCES


def test_what_must_survive_is_retained_and_its_stack_protected(synthesis: Synthesis) -> None:
    manifest = json.loads((synthesis.directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["artifacts"][STORAGE]["properties"]["terminationProtection"] is True
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key"):
        for resource in synthesis.resources(STORAGE, kind).values():
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_vault_is_versioned_encrypted_closed_and_logged(synthesis: Synthesis) -> None:
    vault = properties(synthesis, STORAGE, "AWS::S3::Bucket", "Vault")
    assert vault["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = vault["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(vault["PublicAccessBlockConfiguration"].values()) == {True}
    assert spelt(vault["LoggingConfiguration"]["DestinationBucketName"]).startswith("<AccessLogs")
    rules = {rule["Id"]: rule for rule in vault["LifecycleConfiguration"]["Rules"]}
    assert (rules["runs"]["Prefix"], rules["runs"]["ExpirationInDays"]) == ("runs/", 30)
    assert rules["aborted-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert not any("ExpirationInDays" in rule for name, rule in rules.items() if name != "runs")


@pytest.mark.parametrize("bucket", ["Vault", "AccessLogs"])
def test_a_bucket_answers_over_tls_only(synthesis: Synthesis, bucket: str) -> None:
    statements = properties(synthesis, STORAGE, "AWS::S3::BucketPolicy", bucket)["PolicyDocument"]["Statement"]
    refusal = {"Bool": {"aws:SecureTransport": "false"}}
    assert any(s["Effect"] == "Deny" and s["Action"] == "s3:*" and s.get("Condition") == refusal for s in statements)


def test_the_catalog_can_be_recovered_and_not_be_deleted(synthesis: Synthesis) -> None:
    catalog = properties(synthesis, STORAGE, "AWS::DynamoDB::Table")
    assert catalog["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert catalog["BillingMode"] == "PAY_PER_REQUEST"
    assert catalog["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert catalog["DeletionProtectionEnabled"] is True
    assert catalog["SSESpecification"]["SSEType"] == "KMS"


def test_the_key_rotates(synthesis: Synthesis) -> None:
    assert properties(synthesis, STORAGE, "AWS::KMS::Key")["EnableKeyRotation"] is True


def test_every_host_verb_is_one_document_and_can_be_updated_in_place(
    synthesis: Synthesis, products: BuildProducts
) -> None:
    documents = [d["Properties"] for d in synthesis.resources(DOCUMENTS, "AWS::SSM::Document").values()]
    assert {d["Name"] for d in documents} == {DOCUMENT_PREFIX + path.stem for path in products.documents}
    for document in documents:
        assert (document["DocumentFormat"], document["UpdateMethod"]) == ("JSON", "NewVersion")
        assert document["TargetType"] == "/AWS::EC2::Instance"
        assert len(json.dumps(document["Content"]).encode()) <= MOST_DOCUMENT_BYTES
        path = next(path for path in products.documents if DOCUMENT_PREFIX + path.stem == document["Name"])
        assert document["Content"] == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("journey", "step"), [(j, step) for j, steps in JOURNEYS.items() for step in steps])
def test_a_step_runs_its_own_module_with_its_own_role_and_log_group(
    synthesis: Synthesis, journey: str, step: Step
) -> None:
    function = synthesis.step_functions(journey)[step.state]["Properties"]
    name = f"{construct_id(journey)}{step.state}"
    assert function["Handler"] == f"{module_of(journey, step.state)}.handler"
    assert (function["Runtime"], function["Architectures"]) == ("python3.14", ["arm64"])
    assert (function["Timeout"], function["MemorySize"]) == (step.timeout_s, step.memory_mb)
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert spelt(function["LoggingConfig"]["LogGroup"]).startswith(f"<{name}Logs")
    assert spelt(function["Role"]).startswith(f"<{name}Role")
    assert set(function["Environment"]["Variables"]) == {
        "AEROKEEP_VAULT",
        "AEROKEEP_CATALOG",
        "AEROKEEP_CONFIG_PREFIX",
        "AEROKEEP_DOCUMENT_PREFIX",
        "AEROKEEP_FAILURES_TOPIC",
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
    }


def test_all_functions_share_one_package_and_one_layer(synthesis: Synthesis) -> None:
    functions = [f["Properties"] for journey in JOURNEYS for f in synthesis.step_functions(journey).values()]
    assert len({function["Code"]["S3Key"] for function in functions}) == 1
    assert len({spelt(layer) for function in functions for layer in function["Layers"]}) == 1


def test_no_log_group_keeps_its_lines_forever(synthesis: Synthesis) -> None:
    groups = synthesis.resources(WORKFLOW, "AWS::Logs::LogGroup").values()
    assert all(group["Properties"]["RetentionInDays"] == 90 for group in groups)


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_machine_is_its_file_word_for_word_and_logs_no_payload(
    synthesis: Synthesis, root: Path, journey: str
) -> None:
    machine = synthesis.machines[journey]["Properties"]
    text = (root / "statemachines" / f"{journey}.asl.json").read_text(encoding="utf-8")
    assert machine["DefinitionString"] == text
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_a_schedule_starts_a_backup_with_its_own_time_and_gives_up_after_a_quarter_of_an_hour(
    synthesis: Synthesis,
) -> None:
    schedule = properties(synthesis, TRIGGER, "AWS::Scheduler::Schedule", "Backup")
    target = schedule["Target"]
    assert json.loads(target["Input"]) == {"cluster": "demo", "scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 15 * 60
    assert spelt(target["DeadLetterConfig"]["Arn"]).startswith("<Unstarted")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 3 * * ? *)",
        "Europe/Berlin",
    )


def test_executions_that_did_not_succeed_are_reported(synthesis: Synthesis) -> None:
    rule = properties(synthesis, TRIGGER, "AWS::Events::Rule", "ReportFailures")
    assert len(rule["EventPattern"]["detail"]["stateMachineArn"]) == len(JOURNEYS)
    assert rule["EventPattern"]["source"] == ["aws.states"]
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    (target,) = rule["Targets"]
    assert spelt(target["Arn"]).startswith("<Failures")


def test_whatever_fails_calls_the_guardian_but_the_guardian_and_so_does_its_schedule(synthesis: Synthesis) -> None:
    rule = properties(synthesis, TRIGGER, "AWS::Events::Rule", "CallGuardian")
    watched = {spelt(arn) for arn in rule["EventPattern"]["detail"]["stateMachineArn"]}
    assert len(watched) == len(JOURNEYS) - 1
    assert not any("Guardian" in arn for arn in watched)
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    schedule = properties(synthesis, TRIGGER, "AWS::Scheduler::Schedule", "Guardian")
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    for target in (*rule["Targets"], schedule["Target"]):
        assert "GuardianMachine" in spelt(target["Arn"])
        assert json.loads(target["Input"]) == {}
    orphans = properties(synthesis, TRIGGER, "AWS::Scheduler::Schedule", "Orphans")
    assert (orphans["ScheduleExpression"], json.loads(orphans["Target"]["Input"])) == (
        "rate(1 hour)",
        {"orphans": "delete"},
    )


def test_the_topic_that_steps_publish_to_is_the_topic_of_failures(synthesis: Synthesis) -> None:
    topic = properties(synthesis, TRIGGER, "AWS::SNS::Topic")
    (function, *_) = synthesis.step_functions("guardian").values()
    told = spelt(function["Properties"]["Environment"]["Variables"]["AEROKEEP_FAILURES_TOPIC"])
    assert told.rpartition(":")[2] == topic["TopicName"]


def test_the_topic_is_encrypted_takes_tls_only_and_the_rule_may_publish(synthesis: Synthesis) -> None:
    assert "KmsMasterKeyId" in properties(synthesis, TRIGGER, "AWS::SNS::Topic")
    statements = properties(synthesis, TRIGGER, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert any(s["Effect"] == "Deny" and "aws:SecureTransport" in str(s["Condition"]) for s in statements)
    assert any(s["Effect"] == "Allow" and s["Principal"] == {"Service": "events.amazonaws.com"} for s in statements)
    key_statements = properties(synthesis, STORAGE, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
    assert any(s["Principal"] == {"Service": "events.amazonaws.com"} for s in key_statements)
