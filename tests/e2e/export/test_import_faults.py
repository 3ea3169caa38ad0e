"""Whatever fails while an import runs: it goes on where it was, and is never called good while records are missing."""

import pytest

from sandbox.demo_estate import CLUSTER, DemoFailedError
from tests.e2e.export.exporting import RECORDS, SETS, Exporting

pytestmark = pytest.mark.sampled

RESTORE = "sandbox.tools.asrestore"
SLICES = 3


@pytest.fixture(scope="module")
def exported(exporting: Exporting) -> str:
    """An export of one namespace in several files."""
    exporting.use(records_per_second=0)
    made = exporting.run("export", namespaces=["test"], slices=SLICES)
    return str(made["export"])


@pytest.fixture
def emptied(exporting: Exporting, exported: str) -> str:
    """The namespace that was exported holds nothing any more; imports are slow enough that something can happen."""
    first = next(iter(exporting.cluster.members.values())).node_id
    exporting.cluster.ask(first, "truncate-namespace:namespace=test")
    exporting.use(records_per_second=300)
    return exported


def test_a_stopped_import_goes_on_behind_the_last_whole_file(exporting: Exporting, emptied: str) -> None:
    exporting.use(records_per_second=100)  # slow enough to be seen in the midst of its last part
    request = {"export": emptied}
    arn = exporting.start("import", **request)
    exporting.wait_for_progress(30, part="test-02")
    exporting.use(records_per_second=0)
    exporting.estate.region.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by hand")
    exporting.wait_for_ends()
    exporting.estate.run("guardian")
    with pytest.raises(DemoFailedError, match=r"cluster_halted: .*start that journey with the same input again"):
        exporting.estate.run("backup", cluster=CLUSTER)
    ended = exporting.run("import", **request)
    counted = ended["counters"]
    assert counted["records"] == RECORDS
    assert counted["inserted"] + counted["existed"] + counted["fresher"] == RECORDS
    assert exporting.cluster.count("test", SETS["test"], RECORDS) == RECORDS


def test_a_killed_asrestore_is_started_again_for_its_file_and_what_it_wrote_is_no_reason_to_fail(
    exporting: Exporting, emptied: str
) -> None:
    arn = exporting.start("import", export=emptied)
    exporting.wait_for_progress(40)
    exporting.kill_next(RESTORE)
    ended = exporting.follow("import", arn)
    assert ended["counters"]["records"] == RECORDS
    assert exporting.cluster.count("test", SETS["test"], RECORDS) == RECORDS


def test_an_object_that_was_damaged_is_never_restored_as_whole(exporting: Exporting, emptied: str) -> None:
    s3, bucket = exporting.estate.region.client("s3"), exporting.estate.outputs["VaultName"]
    [key] = [k for k in exporting.keys(f"clusters/{CLUSTER}/exports/{emptied}/test-01") if k.endswith(".asb.gz")]
    whole = exporting.object(key)
    s3.put_object(Bucket=bucket, Key=key, Body=whole[:-40])
    try:
        told = exporting.failure_of("import", exporting.start("import", export=emptied))
        assert "checksum_differs" in told
        assert "halted as" in told
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=whole)
    ended = exporting.run("import", export=emptied)
    assert ended["counters"]["records"] == RECORDS
    assert exporting.cluster.count("test", SETS["test"], RECORDS) == RECORDS
