"""Which way back there is from a restore that fails: to what served before, and to nothing that did not."""

from itertools import count

from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall, ApiError
from tests.crash.field import Execution, Field
from tests.crash.journeys import done, whole

NAMES = (f"back-{number}" for number in count())
CRASH = {"consistency": "crash"}


def a_lost_cluster(field: Field) -> tuple[LightCluster, dict[str, str]]:
    """All instances are terminated and their volumes deleted → the cluster, and the input of its restore."""
    cluster = field.launch(next(NAMES))
    backup = done(field.run("backup", f"{cluster.name}-backup", {"cluster": cluster.name, **CRASH}))
    point = str(backup.output["point"])
    for number, node in enumerate(field.manifest(cluster.name, point)["inventory"]["nodes"]):
        field.clear_member(cluster, number)
        for volume in node["volumes"]:
            if not volume["root"]:
                field.region.client("ec2").delete_volume(VolumeId=volume["volume_id"])
    return cluster, {"cluster": cluster.name, "point": point, "accept_label": "crash"}


def run_failing_at(field: Field, state: str, name: str, request: dict[str, str]) -> Execution:
    """A restore in which a state's commands are refused by AWS."""

    def refuse(call: ApiCall) -> None:
        if call.action == "SendCommand" and state in call.caller:
            raise ApiError("AccessDeniedException", "as the test wants it")

    with field.region.faults.during(before=refuse):
        return field.run("restore", name, request)


def test_relaunched_nodes_go_back_to_being_off_and_the_same_input_brings_the_cluster_back(field: Field) -> None:
    cluster, request = a_lost_cluster(field)
    failed = run_failing_at(field, "StartCluster", f"{cluster.name}-failing", request)
    assert failed.status == "FAILED"
    assert "rolled back" in failed.cause
    assert cluster.servers() == []
    assert "owner" not in field.lock(cluster.name)
    again = field.run("restore", f"{cluster.name}-again", request)
    assert again.status == "SUCCEEDED", again.words
    assert whole(cluster)


def test_a_dry_run_takes_no_lock_and_can_be_had_beside_another_journey(field: Field) -> None:
    cluster = field.launch(next(NAMES))
    backup = done(field.run("backup", f"{cluster.name}-backup", {"cluster": cluster.name, **CRASH}))
    request = {"cluster": cluster.name, "point": str(backup.output["point"]), "accept_label": "crash"}
    table = field.outputs["CatalogName"]
    busy = {"pk": {"S": f"cluster#{cluster.name}"}, "sk": {"S": "lock"}, "epoch": {"N": "7"}, "owner": {"S": "another"}}
    rest = {"run": {"S": backup.output["point"]}, "journey": {"S": "backup"}, "state": {"S": "held"}}
    when = {"acquired_at": {"S": "2026-11-23T12:00:00Z"}}
    dynamodb = field.region.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={**busy, **rest, **when})
    shown = field.run("restore", f"{cluster.name}-dry", {**request, "dry_run": True})
    assert shown.status == "SUCCEEDED", shown.words
    assert len(shown.output["plan"]) == 16
    assert shown.output["live"] is True
    held = field.run("restore", f"{cluster.name}-held", {**request, "plan": shown.output["plan"]})
    assert (held.status, held.error) == ("FAILED", "ConflictError")
    assert "cluster_busy" in held.cause
    assert field.lock(cluster.name)["owner"] == "another"
