"""Whatever fails while an export runs: no half export is ever seen, and none that lacks records is called good."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.demo_estate import CLUSTER
from sandbox.region import ApiCall
from sandbox.region.faults import ApiError
from tests.e2e.export.exporting import RECORDS, SETS, Exporting

pytestmark = pytest.mark.sampled

BACKUP = "sandbox.tools.asbackup"


@pytest.fixture(autouse=True)
def usual_policy(exporting: Exporting) -> None:
    """Each test begins with the deployed policy."""
    exporting.use()


def the_export(exporting: Exporting, made: dict[str, object], *, namespaces: int = 1) -> None:
    """It holds every record, and its manifest says so."""
    assert made["records"] == namespaces * RECORDS
    manifest = exporting.exports()[str(made["export"])]
    assert manifest["state"] == "committed"
    assert sum(namespace["records"] for namespace in manifest["namespaces"]) == namespaces * RECORDS


def test_a_tool_that_is_killed_at_40_percent_is_started_again_for_its_part_alone(exporting: Exporting) -> None:
    arn = exporting.start("export", namespaces=["test"], slices=2)
    exporting.wait_for_progress(40, part="test-00")
    assert exporting.kill(BACKUP, " -o - ")
    made = exporting.follow("export", arn)
    the_export(exporting, made)
    parts = exporting.exports()[made["export"]]["namespaces"][0]["parts"]
    tokens = {part["listing"]["key"].rpartition("/")[2].split(".")[1] for part in parts}
    assert len(tokens) == 2, "the part that was not killed was exported again"


def test_a_tool_that_is_killed_each_time_fails_the_export_and_nothing_of_it_is_seen(exporting: Exporting) -> None:
    exporting.use(tries=2)
    arn = exporting.start("export", namespaces=["test"])
    exporting.wait_for_progress(10)
    for _ in range(2):
        exporting.kill_next(BACKUP, " -o - ")
    assert "part_failed: test-00 failed 2 times, at last tool_killed" in exporting.failure_of("export", arn)


def test_one_failing_namespace_is_tried_again_alone(exporting: Exporting) -> None:
    arn = exporting.start("export", at_once=2)
    exporting.wait_for_progress(20, part="raw")
    assert exporting.kill(BACKUP, " -n raw ")
    made = exporting.follow("export", arn)
    the_export(exporting, made, namespaces=2)


def test_a_restarted_agent_leaves_the_job_alone(exporting: Exporting) -> None:
    arn = exporting.start("export", namespaces=["test"])
    runner = exporting.wait_for_progress(10)
    with exporting.agent_down(runner):
        exporting.wait_for_progress(50)
    made = exporting.follow("export", arn)
    the_export(exporting, made)
    manifest = exporting.exports()[made["export"]]
    assert len({part["listing"]["key"] for part in manifest["namespaces"][0]["parts"]}) == 1


@pytest.mark.parametrize(("code", "status", "times"), [("InternalError", 500, 6), ("AccessDenied", 403, 1)])
def test_an_error_of_s3_in_the_middle_makes_no_truncated_object(
    exporting: Exporting, code: str, status: int, times: int
) -> None:
    """The AWS CLI itself tries what is a server's fault again, a few times."""
    struck: list[str] = []

    def refuse(call: ApiCall) -> None:
        ours = call.caller == "aerokeep-node" and call.action in ("PutObject", "UploadPart")
        if ours and str(call.params["Key"]).endswith(".asb.gz") and len(struck) < times:
            struck.append(str(call.params["Key"]))
            raise ApiError(code, "as if it were down", status=status)

    with exporting.estate.region.faults.during(before=refuse):
        made = exporting.run("export", namespaces=["test"], records_per_second=0)
    assert struck
    the_export(exporting, made)


def test_a_disk_that_fills_up_under_a_directory_export_ends_it_with_what_to_do(exporting: Exporting) -> None:
    if exporting.estate.plane.mode == "directory":
        pytest.skip("directory mode can't mount: run as root with loop devices")
    exporting.use(mode="directory", directory="/mnt/aerokeep/small")
    for instance_id in exporting.cluster.members:
        exporting.on(instance_id, "mkdir", "-p", "/mnt/aerokeep/small")
        exporting.on(instance_id, "mount", "-t", "tmpfs", "-o", "size=4m", "aerokeep-small", "/mnt/aerokeep/small")
    try:
        arn = exporting.start("export", namespaces=["test"])
        runner = exporting.wait_for_progress(5)
        exporting.on(runner, "dd", "if=/dev/zero", "of=/mnt/aerokeep/small/filler", "bs=64k")
        told = exporting.failure_of("export", arn)
        assert "disk_full" in told
        assert "mode stream" in told
        assert exporting.on(runner, "ls", "/mnt/aerokeep/small").split() == ["filler"]
    finally:
        for instance_id in exporting.cluster.members:
            exporting.on(instance_id, "umount", "/mnt/aerokeep/small")


def test_a_wrong_key_is_refused_before_anything_is_written(exporting: Exporting) -> None:
    key = "file:/etc/aerospike/export.key"
    right, wrong = _a_key(), _a_key()
    _give_key(exporting, right)
    encryption = {"mode": "aes128", "key": key}
    made = exporting.run("export", namespaces=["test"], compression="none", encryption=encryption, records_per_second=0)
    the_export(exporting, made)
    stored = exporting.keys(f"clusters/{CLUSTER}/exports/{made['export']}/test-00")
    text = b"".join(exporting.object(name) for name in stored if name.endswith(".asb"))
    assert text
    assert b"namespace test" not in text
    _give_key(exporting, wrong)
    exporting.cluster.truncate("test", SETS["test"])
    told = exporting.failure_of("import", exporting.start("import", export=made["export"], existing="allow"))
    assert "wrong_key" in told
    assert exporting.cluster.count("test", SETS["test"], RECORDS) == 0
    _give_key(exporting, right)
    ended = exporting.run("import", export=made["export"], existing="allow")
    assert ended["counters"]["inserted"] == RECORDS
    assert exporting.cluster.count("test", SETS["test"], RECORDS) == RECORDS


def _a_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def _give_key(exporting: Exporting, pem: str) -> None:
    path = '"${AEROKEEP_ROOT:-}"/etc/aerospike/export.key'
    for instance_id in exporting.cluster.members:
        exporting.on(instance_id, "sh", "-c", f"umask 077; cat > {path} <<'KEY'\n{pem}KEY\n")


def test_a_stopped_execution_stops_the_job_on_its_host(exporting: Exporting) -> None:
    arn = exporting.start("export", namespaces=["test"])
    exporting.wait_for_progress(30)
    exporting.estate.region.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by hand")
    exporting.settle()
    assert list(exporting.processes(BACKUP)) == []
    export_id = max(exporting.exports())
    assert exporting.exports()[export_id]["state"] == "abandoned"
    made = exporting.run("export", namespaces=["test"])
    the_export(exporting, made)


def test_a_dying_runner_gives_its_parts_to_another_node(exporting: Exporting) -> None:
    arn = exporting.start("export", namespaces=["test"], slices=2)
    runner = exporting.wait_for_progress(30)
    exporting.estate.region.power_loss(runner)
    made = exporting.follow("export", arn)
    the_export(exporting, made)
