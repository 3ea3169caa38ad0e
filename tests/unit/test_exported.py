"""What lies in the vault is judged by what the tool said that it wrote."""

import pytest
from aerokeep.model.errors import CorruptError, RejectedError
from aerokeep.model.export import Live
from aerokeep.model.transfer import Counters, Transfer
from aerokeep.rules.exported import (
    exported_parts,
    require_metadata,
    require_read_back,
    require_sizes,
    summed,
)

from tests.builders import NOON
from tests.transfer_builders import a_part_order, an_exported_namespace, exported

TWO = ("test-00", "test-01")
LISTED = {"a": 10, "b": 20}


def read_back(records: int = 1000, sindexes: int = 2, udfs: int = 1, *, part: str = "test-00") -> Transfer:
    told = {"name": part, "done": True, "counters": Counters(records=records), "sindexes": sindexes, "udfs": udfs}
    return Transfer.model_validate({"epoch": 1, "begun_at": NOON, "parts": [told]})


def test_every_listed_file_of_its_size_is_all_that_is_wanted() -> None:
    require_sizes("test-00", LISTED, {**LISTED, "more": 1})


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"a": 10}, "b: None instead of 20 bytes"),
        ({"a": 10, "b": 19}, "b: 19 instead of 20 bytes"),
        ({}, "a: None instead of 10 bytes; b: None instead of 20 bytes"),
    ],
)
def test_a_file_that_is_missing_or_of_another_size_is_told(stored: dict[str, int], words: str) -> None:
    with pytest.raises(CorruptError) as differs:
        require_sizes("test-00", LISTED, stored)
    assert str(differs.value) == f"files_differ: test-00: {words}"


def test_of_many_wrong_files_only_as_many_are_told_as_fit_a_line() -> None:
    with pytest.raises(CorruptError, match=r"2: None instead of 1 bytes …$"):
        require_sizes("test-00", {str(number): 1 for number in range(9)}, {})


def test_what_is_read_back_as_it_was_written_is_good() -> None:
    require_read_back(exported("test-00", sindexes=2, udfs=1), read_back(), of_sets=False)


@pytest.mark.parametrize("read", [read_back(999), read_back(1001), read_back(sindexes=1), read_back(udfs=0)])
def test_another_number_of_records_indexes_or_udfs_is_corrupt(read: Transfer) -> None:
    with pytest.raises(CorruptError, match="count_differs: test-00: written 1000 records, 2 indexes, 1 UDFs; read"):
        require_read_back(exported("test-00", sindexes=2, udfs=1), read, of_sets=False)


def test_an_export_of_sets_holds_their_indexes_alone_though_the_tool_counts_all() -> None:
    wrote = exported("test-00", sindexes=2, udfs=1)
    require_read_back(wrote, read_back(sindexes=1), of_sets=True)
    with pytest.raises(CorruptError, match="count_differs"):
        require_read_back(wrote, read_back(sindexes=3), of_sets=True)
    with pytest.raises(CorruptError, match="count_differs"):
        require_read_back(wrote, read_back(999, sindexes=1), of_sets=True)
    live = [Live(namespace="test", master_objects=0, indexes=("of-the-set",))]
    [test] = summed([a_part_order("test-00")], wrote, live, of_sets=True)
    assert test.sindexes == 1


@pytest.mark.parametrize("lacking", ["summary", "listing"])
def test_a_part_without_the_tools_summary_or_the_list_of_its_files_is_no_export(lacking: str) -> None:
    whole = exported("test-00")
    status = whole.parts[0].status
    assert status is not None
    half = whole.parts[0].model_copy(update={"status": status.model_copy(update={lacking: None})})
    with pytest.raises(CorruptError, match="summary_missing: test-00"):
        exported_parts(whole.model_copy(update={"parts": (half,)}))
    silent = whole.parts[0].model_copy(update={"status": None})
    with pytest.raises(CorruptError, match="summary_missing: test-00"):
        exported_parts(whole.model_copy(update={"parts": (silent,)}))


def test_slices_of_a_namespace_come_to_their_sum_and_namespaces_stay_apart() -> None:
    names = (*TWO, "other-00")
    live = [Live(namespace=name, master_objects=0, indexes=(f"{name}-index",)) for name in ("test", "other", "unasked")]
    transfer = exported(*names, records=10, sindexes=1)
    test, other = summed([a_part_order(name) for name in names], transfer, live, of_sets=False)
    assert (test.namespace, test.records, test.sindexes, test.bytes, test.indexes) == (
        "test",
        20,
        2,
        2000,
        ("test-index",),
    )
    assert [(part.name, part.records, part.files, part.stored_bytes) for part in test.parts] == [
        ("test-00", 10, 2, 500),
        ("test-01", 10, 2, 500),
    ]
    assert (other.namespace, other.records) == ("other", 10)


def test_all_indexes_and_udfs_that_the_cluster_had_are_wanted() -> None:
    whole = an_exported_namespace(sindexes=2, udfs=1, indexes=("a", "b"))
    assert require_metadata([whole], ["f.lua"], accept_missing=False) == ()


@pytest.mark.parametrize(
    ("sindexes", "udfs", "words"),
    [
        (1, 1, r"test has 2 indexes \(a, b\), the tool wrote 1"),
        (2, 0, r"the cluster has 1 UDFs \(f.lua\), the tool wrote 0"),
        (0, 0, r"test has 2 .* wrote 0; the cluster has 1 UDFs"),
    ],
)
def test_fewer_are_refused_with_the_remedy_or_accepted_and_noted(sindexes: int, udfs: int, words: str) -> None:
    short = an_exported_namespace(sindexes=sindexes, udfs=udfs, indexes=("a", "b"))
    with pytest.raises(RejectedError, match=rf"^metadata_missing: {words}.*: use a newer tool, or say accept_missing"):
        require_metadata([short], ["f.lua"], accept_missing=False)
    assert require_metadata([short], ["f.lua"], accept_missing=True)


def test_every_namespace_carries_all_udfs_and_one_that_does_is_enough() -> None:
    found = [an_exported_namespace("a", udfs=2), an_exported_namespace("b", udfs=0)]
    assert require_metadata(found, ["f.lua", "g.lua"], accept_missing=False) == ()
