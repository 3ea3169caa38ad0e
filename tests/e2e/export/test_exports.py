"""Exports and imports in all their shapes, on real nodes with the tools' own text."""

import time
from datetime import datetime

import pytest

from sandbox.cluster import NAMESPACES
from sandbox.demo_estate import CLUSTER, writing
from sandbox.proof import judge_live
from tests.e2e.export.exporting import RECORDS, SETS, Exporting

pytestmark = pytest.mark.sampled


@pytest.fixture(autouse=True)
def quick_policy(exporting: Exporting) -> None:
    """As fast as the tools can."""
    exporting.use(records_per_second=0, verify="full")


def test_an_exact_export_holds_all_writes_from_before_the_guard_and_none_from_after(exporting: Exporting) -> None:
    estate, cluster = exporting.estate, exporting.cluster
    with writing(estate, cluster, rate=200) as writer:
        writer.wait_for_load(2)
        made = exporting.run("export", exact=True, slices=2, at_once=4)
        time.sleep(1.0)
    exact = exporting.exports()[made["export"]]["exact"]
    for namespace in NAMESPACES:
        for node_id in [member.node_id for member in cluster.members.values()]:
            config = cluster.ask(node_id, f"get-config:context=namespace;id={namespace}")
            assert "reject-non-xdr-writes=false" in config
        cluster.ask(next(iter(cluster.members.values())).node_id, f"truncate-namespace:namespace={namespace}")
    time.sleep(1.0)
    exporting.run("import", export=made["export"], existing="allow")
    verdict = judge_live(
        estate.plane,
        cluster.seeds,
        writer.ledger,
        first_request_at=_epoch(exact["guarded_from"]),
        last_response_at=_epoch(exact["guarded_until"]),
    )
    assert verdict.before_cut > 100
    assert (verdict.lost, verdict.from_after_cut, verdict.raw["unexplained"]) == (0, 0, 0)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_directory_export_is_imported_into_another_namespace_through_directories(exporting: Exporting) -> None:
    exporting.cluster.put("test", SETS["test"], RECORDS, value=7)
    made = exporting.run(
        "export",
        namespaces=["test"],
        sets=[SETS["test"]],
        mode="directory",
        compression="zstd",
        parallel=2,
        sample_partitions=16,
    )
    manifest = exporting.exports()[made["export"]]
    assert made["records"] == RECORDS
    sample = manifest["sample"]
    assert sample["records"] > 0
    assert (sample["missing"], sample["added"], sample["changed"]) == (0, 0, 0)
    shown = exporting.run("import", export=made["export"], namespaces={"test": "raw"}, existing="allow", dry_run=True)
    assert shown["records"] == RECORDS
    ended = exporting.run(
        "import", export=made["export"], namespaces={"test": "raw"}, existing="allow", mode="directory", write="unique"
    )
    assert ended["counters"]["inserted"] == RECORDS
    assert exporting.cluster.count("raw", SETS["test"], RECORDS) == RECORDS
    again = exporting.run("import", export=made["export"], namespaces={"test": "raw"}, existing="allow", write="unique")
    assert (again["counters"]["inserted"], again["counters"]["existed"]) == (0, RECORDS)
    assert exporting.keys(f"clusters/{CLUSTER}/exports/{made['export']}/manifest.json")
