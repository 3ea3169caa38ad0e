"""What can't be backed up as asked is refused: with the right class, the remedy, and nothing changed anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

import pytest

from sandbox.dataplane.plane import NodeClock
from sandbox.region import ApiCall
from tests.workflow.backup.estate import Ended, Estate, point_of
from tests.workflow.backup.picture import picture, run_directories
from tests.workflow.backup.small_cluster import Addresses, SmallCluster, launch_bare, launch_small

MEMORY = "namespace cache {\n    storage-engine memory {\n        data-size 512M\n    }\n}\n"
ONLY_LOOKED = {
    "lambda:Invoke",  # the state machine's role
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "ssm:GetParameter",
    "ssm:DescribeInstanceInformation",
    "ssm:SendCommand aerokeep-survey",
    "ssm:ListCommandInvocations",
    "ssm:GetCommandInvocation",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:PutObject",
}
"""All that a refused run may call: look, survey, and keep its own books in catalog and vault."""


@dataclass
class Fleet:
    """The clusters of this module, by the name that is also their tag's value."""

    healthy: SmallCluster
    broken: dict[str, SmallCluster]

    @property
    def all(self) -> list[SmallCluster]:
        """Every cluster."""
        return [self.healthy, *self.broken.values()]


@pytest.fixture(scope="module")
def fleet(estate: Estate, addresses: Addresses) -> Fleet:
    """One healthy cluster of two nodes, and clusters of one node with something wrong."""
    plane = estate.plane

    def on_instance_store(instance_id: str, conf: str) -> str:
        store = plane.attach_instance_store(instance_id, 64 << 20)
        return _with_device(conf, plane.device_path(instance_id, store))

    def on_a_plain_file(instance_id: str, conf: str) -> str:
        odd = plane.host_dir(instance_id) / "odd.img"
        with odd.open("xb") as file:
            file.truncate(64 << 20)
        return _with_device(conf, str(odd))

    def with_memory(_instance_id: str, conf: str) -> str:
        return conf + MEMORY

    def with_both(instance_id: str, conf: str) -> str:
        return on_a_plain_file(instance_id, conf) + MEMORY

    changes = {"store": on_instance_store, "unmapped": on_a_plain_file, "cache": with_memory, "both": with_both}
    broken = {
        name: launch_small(estate.region, plane, addresses, tag=estate.configure(name), conf=change)
        for name, change in changes.items()
    }
    wild = (NodeClock(synchronised=False),)
    broken["wild"] = launch_small(estate.region, plane, addresses, tag=estate.configure("wild"), clocks=wild)
    pair = (NodeClock(), NodeClock())
    healthy = launch_small(estate.region, plane, addresses, tag=estate.configure("healthy"), clocks=pair)
    made = Fleet(healthy, broken)
    for cluster in made.all:
        cluster.wait_ready()
    return made


def _with_device(conf: str, path: str) -> str:
    return f"{conf}namespace extra {{\n    storage-engine device {{\n        device {path}\n    }}\n}}\n"


@contextmanager
def unchanged(estate: Estate, fleet: Fleet) -> Iterator[None]:
    """Whatever runs inside leaves clusters, hosts and EC2 as they were, and only looks."""
    before = picture(estate, *fleet.all)
    estate.calls.clear()
    yield
    assert estate.acts() <= ONLY_LOOKED
    after = picture(estate, *fleet.all)
    assert {what: (told, after.get(what)) for what, told in before.items() if told != after.get(what)} == {}
    assert after.keys() == before.keys()
    assert run_directories(estate) == []


def refused(ended: Ended, error: str, *words: str) -> None:
    """The execution ended as it should, and its message says why and what to do."""
    assert (ended.status, ended.error) == ("FAILED", error), ended.message
    for word in words:
        assert word in ended.message
    assert "Traceback" not in ended.message
    assert "\n" not in ended.message


def test_an_unknown_cluster_is_refused(estate: Estate, fleet: Fleet) -> None:
    with unchanged(estate, fleet):
        ended = estate.run(cluster="nobody-knows", scheduled_time=estate.a_time())
    refused(ended, "RejectedError", "unknown_cluster", "'nobody-knows'", "correct the name, or add the cluster")
    assert estate.owner("nobody-knows") is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cluster": "healthy", "consistancy": "node"}, ("field consistancy", "known fields: cluster, scheduled_time")),
        ({"cluster": "healthy", "consistency": "best"}, ("field consistency", "'crash', 'node' or 'cluster'")),
        ({"cluster": "healthy", "scheduled_time": "2026-11-23T02:00:00"}, ("field scheduled_time", "time zone")),
        ({"cluster": "Healthy!"}, ("field cluster",)),
        ({}, ("field cluster", "required")),
    ],
)
def test_an_unknown_or_wrong_field_is_named(
    estate: Estate, fleet: Fleet, wrong: dict[str, str], words: tuple[str, ...]
) -> None:
    with unchanged(estate, fleet):
        ended = estate.run(**wrong)
    refused(ended, "RejectedError", "bad_input", *words)
    assert estate.owner("healthy") is None


def test_a_tag_that_no_instance_carries_is_refused(estate: Estate, fleet: Fleet) -> None:
    estate.configure("empty")
    with unchanged(estate, fleet):
        ended = estate.run(cluster="empty", scheduled_time=estate.a_time())
    refused(ended, "RejectedError", "empty_tag_match", "cluster=empty", "tag its nodes, or correct the tag in clusters")
    assert estate.owner("empty") is None


def test_a_node_without_ssm_is_refused(estate: Estate, fleet: Fleet, addresses: Addresses) -> None:
    node = launch_bare(estate.region, addresses, tag=estate.configure("deaf"))
    estate.region.set_agent(node.instance_id, online=False)
    with unchanged(estate, fleet):
        ended = estate.run(cluster="deaf", scheduled_time=estate.a_time())
    refused(ended, "RejectedError", "node_without_ssm", node.instance_id, "check that the agent runs", "instance role")
    assert estate.owner("deaf") is None


def test_a_stopped_node_is_refused(estate: Estate, fleet: Fleet, addresses: Addresses) -> None:
    node = launch_bare(estate.region, addresses, tag=estate.configure("halted"))
    estate.region.client("ec2").stop_instances(InstanceIds=[node.instance_id])
    with unchanged(estate, fleet):
        ended = estate.run(cluster="halted", scheduled_time=estate.a_time())
    refused(
        ended, "RejectedError", "node_not_running", f"{node.instance_id} (stopped)", "start it, replace it, or take"
    )
    assert estate.owner("halted") is None


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("store", ("instance_store: ", "namespace extra", "add an EBS shadow device")),
        ("unmapped", ("no_ebs_volume: ", "odd.img", "namespace extra", "put it on an EBS volume")),
        ("cache", ("memory_only: ", "namespace cache", "list it under not_saved of cluster cache")),
        ("wild", ("clock_unsynchronised: ", "start chronyd there, or set shortfall to degrade")),
        ("both", ("no_ebs_volume: ", "odd.img", "memory_only: ", "list it under not_saved of cluster both")),
    ],
)
def test_a_cluster_that_surveys_find_wanting_is_refused(
    estate: Estate, fleet: Fleet, cluster: str, words: tuple[str, ...]
) -> None:
    with unchanged(estate, fleet):
        ended = estate.run(cluster=cluster, scheduled_time=estate.a_time())
    refused(ended, "RejectedError", *words, fleet.broken[cluster].ids[0])
    assert estate.owner(cluster) is None
    assert ended.states[-3:] == ["PlanBackup", "AbandonPoint", "BackupFailed"]


def test_a_guard_that_was_set_at_run_time_is_refused_and_stays(estate: Estate, fleet: Fleet) -> None:
    healthy = fleet.healthy
    first = healthy.ids[0]
    setting = "set-config:context=namespace;id=raw;reject-non-xdr-writes="
    assert healthy.ask(first, f"{setting}true") == "ok"
    try:
        with unchanged(estate, fleet):
            ended = estate.run(cluster="healthy", scheduled_time=estate.a_time())
        assert "reject-non-xdr-writes=true" in healthy.ask(first, "get-config:context=namespace;id=raw")
    finally:
        healthy.ask(first, f"{setting}false")
    refused(
        ended, "RejectedError", "guard_already_set", "namespace raw", first, "lift it, or put it into aerospike.conf"
    )
    assert estate.owner("healthy") is None


def test_a_second_backup_is_refused_while_one_runs_and_does_not_disturb_it(estate: Estate, fleet: Fleet) -> None:
    at, cutting, go_on = estate.a_time(), Event(), Event()

    def hold_the_cut(call: ApiCall) -> None:
        if call.action == "CreateSnapshots":
            cutting.set()
            assert go_on.wait(60)

    with estate.region.faults.during(before=hold_the_cut):
        first = estate.start(cluster="healthy", scheduled_time=at, consistency="crash")
        try:
            assert cutting.wait(60)
            second = estate.run(cluster="healthy", scheduled_time=estate.a_time())
            assert estate.owner("healthy") == first
            assert run_directories(estate) == []
        finally:
            go_on.set()
        done = estate.ended(first)
    refused(second, "ConflictError", "cluster_busy", point_of("healthy", at), first, "wait for it, or stop it")
    assert second.output_of("AbandonPoint")["held"] is False
    assert done.status == "SUCCEEDED", done.message
    assert len(estate.snapshots(point_of("healthy", at))) == sum(len(n.volumes) for n in fleet.healthy.nodes.values())
    assert estate.owner("healthy") is None
