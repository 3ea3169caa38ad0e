"""The matrix finds what it is there to find: sound rows pass, and each kind of harm is reported."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from sandbox.light.content import Data
from sandbox.light.launch import LightCluster
from tests.crash.backups import Backup
from tests.crash.field import Execution, Field
from tests.crash.invariants import Fate, Mark, breaches, mark, oversized, unprotected
from tests.crash.journeys import Prepared, fate_of, whole
from tests.crash.play import Player
from tests.crash.rows import OF_CALLS, OF_CHANGES, OF_STATES, How, Row, Site, rows_of, sampled
from tests.workflow.region.shapes import eventually

NAMES = (f"harm-{number}" for number in count())
Harm = Callable[[Field, LightCluster], None]


def test_two_rows_of_the_backup_break_nothing(field: Field) -> None:
    rows = [Row("backup", "TagSnapshots", How.KILLED), Row("backup", "CommitPoint", How.KILLED_LATE)]
    reports = Player(field).play_all(rows, jobs=2, told=lambda _: None)
    assert [line for report in reports for line in report.lines] == []
    assert all(report.longest_lambda_s > 0 for report in reports)
    assert all("-struck FAILED" in report.executions[0] for report in reports)


class Careless(Backup):
    """A backup that leaves a write stop behind."""

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:
        found = super().judge(field, prepared)
        _stop_writes(field, prepared.cluster)
        return found


def test_a_row_that_leaves_harm_is_broken(field: Field) -> None:
    report = Player(field, {"backup": Careless()}).play(Row("backup", "PlanBackup", How.KILLED), 100)
    assert next(report.lines) == "broken: backup/PlanBackup/killed"
    assert {line.partition(":")[0] for line in report.broken} >= {"write_stop_left", "not_serving"}


def test_a_state_that_is_never_reached_is_broken(field: Field) -> None:
    report = Player(field).play(Row("backup", "AbandonPoint", How.KILLED), 101)
    assert report.broken[0].startswith("never_struck: aerokeep.steps.backup.abandon_point.handler")


def _stop_writes(_: Field, cluster: LightCluster) -> None:
    cluster.servers()[0].namespaces["raw"].guarded = True


def _mix(_: Field, cluster: LightCluster) -> None:
    cluster.servers()[0].put("raw", Data(f"{cluster.name}/other", 1))


def _kill_a_server(_: Field, cluster: LightCluster) -> None:
    cluster.servers()[0].stop()


def _delete_an_only_copy(field: Field, cluster: LightCluster) -> None:
    ec2, volume_id = field.region.client("ec2"), cluster.servers()[0].host.devices["nvme2n1"].volume_id
    ec2.detach_volume(VolumeId=volume_id)
    assert eventually(lambda: bool(ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]["State"] == "available"))
    ec2.delete_volume(VolumeId=volume_id)


def _leave_a_snapshot(field: Field, cluster: LightCluster) -> None:
    volume_id = cluster.servers()[0].host.devices["nvme1n1"].volume_id
    field.region.client("ec2").create_snapshot(VolumeId=volume_id)


def _keep_the_lock(field: Field, cluster: LightCluster) -> None:
    dead = field.run("backup", cluster.name, {"cluster": "no-such-cluster"})
    _lock(field, cluster, owner=dead.arn, state="held", run="r")


def _halt_without_a_word(field: Field, cluster: LightCluster) -> None:
    _lock(field, cluster, owner="somebody", state="halted", run="r")


def _lock(field: Field, cluster: LightCluster, **attributes: str) -> None:
    item = {"pk": f"cluster#{cluster.name}", "sk": "lock", **attributes}
    field.region.client("dynamodb").put_item(
        TableName=field.outputs["CatalogName"], Item={name: {"S": value} for name, value in item.items()}
    )


@pytest.mark.parametrize(
    ("harm", "codes"),
    [
        (_stop_writes, {"write_stop_left", "not_serving"}),
        (_mix, {"mixed", "mixed_and_open"}),
        (_kill_a_server, {"not_serving"}),
        (_delete_an_only_copy, {"only_copy_deleted"}),
        (_leave_a_snapshot, {"untagged"}),
        (_keep_the_lock, {"lock_of_the_dead"}),
        (_halt_without_a_word, {"halted_without_reason"}),
    ],
)
def test_each_kind_of_harm_is_a_breach(field: Field, harm: Harm, codes: set[str]) -> None:
    cluster = field.launch(next(NAMES))
    since = mark(field, cluster)
    assert list(_breaches(field, cluster, since)) == []
    harm(field, cluster)
    assert set(_breaches(field, cluster, since)) >= codes
    field.clear(cluster)


def _breaches(field: Field, cluster: LightCluster, since: Mark) -> Iterator[str]:
    first = f"{cluster.name}/first"
    fate = fate_of(cluster, old=first, new=first)
    yield from (b.code for b in breaches(field, cluster, since, fate=fate, serves=whole(cluster)))


def test_volumes_that_would_go_with_their_instance_are_a_breach(field: Field) -> None:
    cluster = field.launch(next(NAMES))
    assert {breach.code for breach in unprotected(field, cluster)} == {"delete_on_termination"}
    field.clear(cluster)


def test_a_state_that_carries_bulk_is_a_breach() -> None:
    event = {"id": 1, "stateExitedEventDetails": {"name": "Plan", "output": "x" * 40_000}}
    small = {"id": 2, "stateExitedEventDetails": {"name": "Plan", "output": "x" * 400}}
    execution = Execution("arn", "SUCCEEDED", "", "", {}, (event, small))
    assert [breach.code for breach in oversized([execution])] == ["state_too_large"]


SITES = (Site("", "PlanBackup", "s3.GetObject", changes=False), Site("", "PlanBackup", "s3.PutObject", changes=True))


def test_rows_are_all_lambda_states_and_their_calls_times_all_strikes() -> None:
    rows = rows_of("backup", Backup().scenes, SITES)
    assert {row.state for row in rows} >= {"AcquireLock", "CutSnapshots", "StopWrites", "AbandonPoint"}
    assert "DuplicateIgnored" not in {row.state for row in rows}
    assert {row.how for row in rows if row.state == "CheckSnapshots"} == set(OF_STATES)
    of_calls = {(row.action, row.how) for row in rows if row.action}
    assert of_calls == {("s3.GetObject", how) for how in OF_CALLS} | {("s3.PutObject", how) for how in OF_CHANGES}
    twice = {"EndTry", "StopWrites", "CutSnapshots", "ResumeWrites"}
    assert {row.state for row in rows if row.provoked} == {"AbandonPoint", *twice}
    assert len({row.name for row in rows}) == len(rows)


def test_a_sample_is_told_by_its_seed_and_has_each_way_to_be_struck() -> None:
    rows = rows_of("backup", Backup().scenes, SITES)
    hows = {row.how for row in rows}
    assert sampled(rows, 8, 1) == sampled(rows, 8, 1) != sampled(rows, 8, 2)
    assert {row.how for row in sampled(rows, len(hows), 3)} == hows
    assert len(sampled(rows, 20, 1)) == 20
    assert len(sampled(rows, None, 1)) == len(rows)
