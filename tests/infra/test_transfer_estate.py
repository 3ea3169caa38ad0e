"""What exports and imports add to the estate: instance roles in the vault, runners beside a cluster, schedules."""

import json
from typing import Any

import pytest

from infra.build_products import BuildProducts
from infra.config import Config
from infra.stacks import build_app
from tests.infra.synthesis import Synthesis, as_list, spelt

STORAGE, TRIGGER = "AerokeepStorage", "AerokeepTrigger"
LIVE, COPY = ("arn:aws:iam::111122223333:role/live", "arn:aws:iam::111122223333:role/copy")
CLUSTERS = {
    "clusters": {
        "live": {
            "tag": {"key": "db", "value": "live"},
            "instance_roles": [LIVE],
            "export": {
                "schedule": {"expression": "rate(1 day)", "time_zone": "Europe/Berlin"},
                "runner": "tagged",
                "runner_tag": {"key": "role", "value": "tools"},
            },
        },
        "copy": {
            "tag": {"key": "db", "value": "copy"},
            "instance_roles": [COPY],
            "export": {"import_from": ["live"]},
        },
        "apart": {"tag": {"key": "db", "value": "apart"}},
    },
}
WRITES = {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"}
Statement = dict[str, Any]


@pytest.fixture(scope="module")
def estate(products: BuildProducts, tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """With cdk-nag: what hosts may do is a finding wherever nobody has said why."""
    outdir = tmp_path_factory.mktemp("aerokeep-cdk-out")
    build_app(Config.model_validate(CLUSTERS), products, context={}, outdir=outdir, nag=True).synth()
    return Synthesis(outdir)


def of_hosts(policy: Statement) -> list[Statement]:
    """The statements of a resource policy that are about roles of instances."""
    return [s for s in policy["Statement"] if {LIVE, COPY} & set(principals(s))]


def principals(statement: Statement) -> list[str]:
    principal = statement["Principal"]
    return as_list(principal["AWS"]) if isinstance(principal, dict) and "AWS" in principal else []


def bucket_policy(synthesis: Synthesis) -> Statement:
    policy: Statement = synthesis.only(STORAGE, "AWS::S3::BucketPolicy", "VaultPolicy")["Properties"]["PolicyDocument"]
    return policy


def key_policy(synthesis: Synthesis) -> Statement:
    policy: Statement = synthesis.only(STORAGE, "AWS::KMS::Key")["Properties"]["KeyPolicy"]
    return policy


def granted(synthesis: Synthesis, role: str, *, effect: str = "Allow") -> set[tuple[str, str]]:
    """What a role may (or may not) do in the vault: action, and the place below the bucket."""
    return {
        (action, resource.partition(".Arn>")[2])
        for statement in of_hosts(bucket_policy(synthesis))
        if role in principals(statement) and statement["Effect"] == effect
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def test_hosts_write_into_exports_of_their_own_cluster_and_read_those_and_what_they_may_import(
    estate: Synthesis,
) -> None:
    own = "/clusters/live/exports/*"
    assert granted(estate, LIVE) == {(action, own) for action in (*WRITES, "s3:GetObject")}
    copy = "/clusters/copy/exports/*"
    assert granted(estate, COPY) == {(action, copy) for action in (*WRITES, "s3:GetObject")} | {("s3:GetObject", own)}


def test_no_host_may_say_that_an_export_exists(estate: Synthesis) -> None:
    for role, cluster in ((LIVE, "live"), (COPY, "copy")):
        denied = {("s3:PutObject", f"/clusters/{cluster}/exports/*/manifest.json")}
        assert granted(estate, role, effect="Deny") == denied


def test_no_host_may_delete_or_list_anything_in_the_vault(estate: Synthesis) -> None:
    statements = of_hosts(bucket_policy(estate))
    assert len(statements) == 6
    assert {action for s in statements for action in as_list(s["Action"])} == WRITES | {"s3:GetObject"}
    assert all(len(principals(statement)) == 1 for statement in statements)


def test_hosts_use_the_key_through_s3_alone(estate: Synthesis) -> None:
    statements = of_hosts(key_policy(estate))
    assert sorted(role for statement in statements for role in principals(statement)) == sorted([LIVE, COPY])
    for statement in statements:
        assert set(as_list(statement["Action"])) == {"kms:Decrypt", "kms:GenerateDataKey"}
        assert set(statement["Condition"]) == {"StringEquals"}
        (via,) = statement["Condition"]["StringEquals"].items()
        assert (via[0], spelt(via[1])) == ("kms:ViaService", "s3.<AWS::Region>.<AWS::URLSuffix>")


def test_without_instance_roles_no_host_may_do_anything_in_the_vault(synthesis: Synthesis) -> None:
    for policy in (bucket_policy(synthesis), key_policy(synthesis)):
        allowed = [s for s in policy["Statement"] if s["Effect"] == "Allow"]
        assert not [role for statement in allowed for role in principals(statement) if ":role/" in role]
    assert "exports" not in json.dumps(bucket_policy(synthesis))


def test_exports_that_have_a_schedule_are_started_by_it_with_their_time(estate: Synthesis) -> None:
    schedules = [s["Properties"] for s in estate.resources(TRIGGER, "AWS::Scheduler::Schedule").values()]
    (export,) = [s for s in schedules if s["Name"].startswith("export-")]
    assert (export["Name"], export["ScheduleExpression"]) == ("export-live", "rate(1 day)")
    assert export["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert json.loads(export["Target"]["Input"]) == {
        "cluster": "live",
        "scheduled_time": "<aws.scheduler.scheduled-time>",
    }
    assert "ExportMachine" in spelt(export["Target"]["Arn"])


def test_no_export_without_a_schedule_is_started(synthesis: Synthesis) -> None:
    schedules = synthesis.resources(TRIGGER, "AWS::Scheduler::Schedule").values()
    assert not [s for s in schedules if s["Properties"]["Name"].startswith("export-")]


@pytest.mark.parametrize(
    ("journey", "state"),
    [("export", "FindRunners"), ("export", "RunExport"), ("export", "AbandonExport"), ("import", "RunImport")],
)
def test_runners_beside_a_cluster_may_be_spoken_to_by_their_tag(estate: Synthesis, journey: str, state: str) -> None:
    conditions = [
        statement["Condition"]
        for statement in estate.role_of(journey, state)
        if "ssm:SendCommand" in statement["Action"] and ":instance/*" in statement["Resource"][0]
    ]
    assert conditions == [
        {"StringEquals": {"aws:ResourceTag/db": ["live", "copy", "apart"]}},
        {"StringEquals": {"aws:ResourceTag/role": ["tools"]}},
    ]


def test_what_the_lambdas_read_of_a_cluster_says_nothing_of_its_schedule(estate: Synthesis) -> None:
    parameters = estate.resources(TRIGGER, "AWS::SSM::Parameter").values()
    told = {p["Properties"]["Name"]: json.loads(p["Properties"]["Value"]) for p in parameters}
    assert told["/aerokeep/clusters/live"]["export"]["runner_tag"] == {"key": "role", "value": "tools"}
    assert told["/aerokeep/clusters/copy"]["export"]["import_from"] == ["live"]
    assert all("schedule" not in one["export"] for one in told.values())
