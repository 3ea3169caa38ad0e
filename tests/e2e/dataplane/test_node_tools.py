"""The backup tools and the AWS CLI on a node: called by their names, in the role of the instance."""

import contextlib
import functools
import hashlib
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane
from sandbox.region import Region
from tests.e2e.dataplane.conftest import MODES

BUCKET = "vault-of-tools"
MIB = 1 << 20


@pytest.fixture(scope="module", params=MODES)
def plane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    made = choose(mode=request.param, workdir=tmp_path_factory.mktemp("plane"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def region(plane: DataPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    made = Region(plane, layer=tmp_path_factory.mktemp("layer"))
    try:
        made.start()
        place = {"LocationConstraint": "eu-central-1"}
        made.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def node(region: Region, plane: DataPlane) -> str:
    return region.launch_node("one", plane.node_ip(0), profile="exporter").instance_id


def call(plane: DataPlane, node: str, *argv: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    process = plane.spawn(
        node,
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"HOME": "/nowhere"},
    )
    out, words = process.communicate(stdin, timeout=60)
    return process.returncode, out, words.decode()


def test_a_node_has_the_tools_and_they_say_their_version(plane: DataPlane, node: str) -> None:
    for tool, title in (("asbackup", "Aerospike Backup"), ("asrestore", "Aerospike Restore")):
        code, out, _ = call(plane, node, tool, "--version")
        assert code == 0
        assert out.decode().startswith(title)
    assert b"--validate" in call(plane, node, "asrestore", "--help")[1]


def test_aws_on_a_node_signs_as_its_instance_role_and_as_nobody_without_one(
    region: Region, plane: DataPlane, node: str
) -> None:
    two = region.launch_node("two", plane.node_ip(1)).instance_id
    _, listed, _ = call(plane, node, "aws", "configure", "list")
    assert any(line.split()[0:1] == ["access_key"] and "env" in line for line in listed.decode().splitlines())
    _, listed, _ = call(plane, two, "aws", "configure", "list")
    assert any("access_key" in line and "not set" in line for line in listed.decode().splitlines())
    code, _, words = call(plane, two, "aws", "s3", "ls", f"s3://{BUCKET}", "--region", "eu-central-1")
    assert code != 0
    assert "credentials" in words


@pytest.mark.parametrize("size", [3, 9 * MIB + 7], ids=["small", "multipart"])
def test_a_stream_goes_up_and_comes_back_whole(plane: DataPlane, node: str, size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    code, _, words = call(plane, node, "aws", "s3", "cp", "-", f"s3://{BUCKET}/x", "--only-show-errors", stdin=content)
    assert (code, words) == (0, "")
    code, back, words = call(plane, node, "aws", "s3", "cp", f"s3://{BUCKET}/x", "-", "--only-show-errors")
    assert (code, words) == (0, "")
    assert hashlib.sha256(back).digest() == hashlib.sha256(content).digest()


def test_an_interrupted_upload_leaves_no_parts_behind(region: Region, plane: DataPlane, node: str) -> None:
    s3 = region.client("s3")
    process = plane.spawn(
        node,
        ["aws", "s3", "cp", "-", f"s3://{BUCKET}/half"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Where the tests run in the background, SIGINT is ignored, and whoever they start would ignore it too.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(bytes(20 * MIB))
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")
    process.send_signal(signal.SIGINT)
    # It goes on waiting for its stdin; closed before it has heard the signal, the upload would be completed. Nothing
    # tells from outside that it has heard: a busy machine gets some seconds.
    time.sleep(3)
    assert process.poll() is None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert process.wait(30) != 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="half")
