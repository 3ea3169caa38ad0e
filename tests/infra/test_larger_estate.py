"""What the repository's small clusters.yaml does not show: several clusters, notifications, a fixed account."""

import pytest

from infra.build_products import BuildProducts
from infra.config import Config
from infra.stacks import build_app
from tests.infra.synthesis import Synthesis

CLUSTERS = {
    "notifications": {"emails": ["sre@example.com", "dba@example.com"]},
    "clusters": {
        "orders": {"tag": {"key": "db", "value": "orders"}, "schedule": {"expression": "rate(6 hours)"}},
        "users": {"tag": {"key": "role", "value": "users"}},
    },
}
TRIGGER = "AerokeepTrigger"


@pytest.fixture(scope="module")
def larger(products: BuildProducts, tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """With cdk-nag: its findings are spelt otherwise where account and region are known."""
    outdir = tmp_path_factory.mktemp("aerokeep-cdk-out")
    context = {"account": "111122223333", "region": "eu-central-1"}
    build_app(Config.model_validate(CLUSTERS), products, context=context, outdir=outdir, nag=True).synth()
    return Synthesis(outdir)


def test_every_cluster_has_a_parameter_and_only_scheduled_ones_a_schedule(larger: Synthesis) -> None:
    parameters = larger.resources(TRIGGER, "AWS::SSM::Parameter").values()
    assert {p["Properties"]["Name"] for p in parameters} == {"/aerokeep/clusters/orders", "/aerokeep/clusters/users"}
    schedules = larger.resources(TRIGGER, "AWS::Scheduler::Schedule").values()
    names = [s["Properties"]["Name"] for s in schedules]
    assert [name for name in names if name.startswith("backup-")] == ["backup-orders"]


def test_every_address_is_subscribed_to_failures(larger: Synthesis) -> None:
    subscriptions = [s["Properties"] for s in larger.resources(TRIGGER, "AWS::SNS::Subscription").values()]
    assert {(s["Protocol"], s["Endpoint"]) for s in subscriptions} == {
        ("email", "sre@example.com"),
        ("email", "dba@example.com"),
    }


def test_instances_of_either_tag_may_be_reached_and_no_others(larger: Synthesis) -> None:
    statements = larger.role_of("backup", "CutSnapshots")
    on_instances = [s["Condition"] for s in statements if ":instance/*" in s["Resource"][0]]
    assert on_instances == [
        {"StringEquals": {"aws:ResourceTag/db": ["orders"]}},
        {"StringEquals": {"aws:ResourceTag/role": ["users"]}},
    ]
    (tagged,) = [s["Condition"] for s in statements if s.get("Sid") == "CutIntoTaggedSnapshots"]
    assert tagged["StringEquals"] == {"aws:RequestTag/aerokeep:cluster": ["orders", "users"]}


def test_arns_name_the_account_and_region_that_were_given(larger: Synthesis) -> None:
    (parameters,) = [
        resource
        for statement in larger.role_of("backup", "AcquireLock")
        for resource in statement["Resource"]
        if ":parameter/" in resource
    ]
    assert parameters == "arn:<AWS::Partition>:ssm:eu-central-1:111122223333:parameter/aerokeep/clusters/*"
