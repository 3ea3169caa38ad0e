"""The pipelines of an export and an import, as a host runs them, on nodes with a database and a clock of their own."""

import subprocess
from collections.abc import Iterator

import pytest

from sandbox import cluster
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane, NodeClock
from sandbox.region import Region
from tests.e2e.dataplane.conftest import MODES

BUCKET = "vault-of-exports"
COUNT = 600


@pytest.fixture(params=MODES)
def plane(request: pytest.FixtureRequest) -> Iterator[DataPlane]:
    made = choose(mode=request.param)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def region(plane: DataPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    made = Region(plane, layer=tmp_path_factory.mktemp("layer"))
    try:
        made.start()
        place = {"LocationConstraint": "eu-central-1"}
        made.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield made
    finally:
        made.stop()


def shell(plane: DataPlane, node: str, script: str) -> str:
    process = plane.spawn(node, ["bash", "-o", "pipefail", "-ec", script], stdout=-1, stderr=subprocess.STDOUT)
    words, _ = process.communicate(timeout=60)
    assert process.returncode == 0, words.decode()
    return words.decode()


def test_an_export_streams_from_one_node_to_the_bucket_and_into_another_namespace_from_another_node(
    region: Region, plane: DataPlane
) -> None:
    clocks = (NodeClock(offset_s=30.0), NodeClock(offset_s=-20.0))
    started = cluster.launch(region, plane, tag=("cluster", "demo"), clocks=clocks)
    try:
        started.put("test", "demo", COUNT)
        one, two = (member.node for member in started.members.values())
        words = shell(
            plane,
            one.instance_id,
            f"asbackup -h {one.private_ip} -n test -o - | gzip -c -1 | aws s3 cp - s3://{BUCKET}/e --only-show-errors",
        )
        assert f"Backed up {COUNT} record(s), 1 secondary index(es), 0 UDF file(s)" in words
        words = shell(
            plane,
            two.instance_id,
            f"aws s3 cp s3://{BUCKET}/e - | gunzip | asrestore -h {two.private_ip} -n test,raw -i -",
        )
        assert f"inserted {COUNT}: failed 0 (existed 0 , fresher 0)" in words
        assert started.count("raw", "demo", COUNT) == COUNT
    finally:
        started.stop()
