"""SMD files have the real layout, and nodes that differ merge item by item as the real server does."""

import json
from pathlib import Path

from sandbox.standin.smd import Item, Module, Smd


def an_smd(directory: Path, warnings: list[str] | None = None) -> Smd:
    return Smd(directory, warn=(warnings if warnings is not None else []).append)


def test_a_change_is_written_as_version_vector_and_items(tmp_path: Path) -> None:
    smd = an_smd(tmp_path)
    item, tid = smd.propose("sindex", "test|demo|i|.|I", "idx", cluster_key=0xAB)
    smd.commit("sindex", item, cluster_key=0xAB, tid=tid)
    smd.save("sindex")
    vector, saved = json.loads((tmp_path / "smd/sindex.smd").read_text())
    assert vector == [0xAB, 1]
    assert saved == {"key": "test|demo|i|.|I", "value": "idx", "generation": 1, "timestamp": item.timestamp}
    assert an_smd(tmp_path).modules["sindex"].live() == {"test|demo|i|.|I": "idx"}
    assert not list((tmp_path / "smd").glob("*.save"))


def test_the_transaction_number_counts_within_a_cluster_and_begins_anew_in_the_next(tmp_path: Path) -> None:
    smd = an_smd(tmp_path)
    numbers = []
    for key in (1, 1, 2):
        item, tid = smd.propose("sindex", "k", "v", cluster_key=key)
        smd.commit("sindex", item, cluster_key=key, tid=tid)
        numbers.append((tid, item.generation))
    assert numbers == [(1, 1), (2, 2), (1, 3)]


def test_an_invalid_file_starts_empty_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "smd").mkdir()
    (tmp_path / "smd/UDF.smd").write_text("[[1, 2], {")
    warnings: list[str] = []
    assert an_smd(tmp_path, warnings).modules["UDF"].items == {}
    assert len(warnings) == 1
    assert "starting empty" in warnings[0]


def test_an_empty_node_takes_the_others_copy_with_its_version(tmp_path: Path) -> None:
    smd = an_smd(tmp_path)
    other = Module(5, 9, {"k": Item("k", "v", 1, 100)})
    assert smd.merge("sindex", other, cluster_key=7)
    assert smd.modules["sindex"] == other


def test_nodes_that_differ_keep_the_newer_item_and_tombstones_count(tmp_path: Path) -> None:
    smd = an_smd(tmp_path)
    smd.modules["sindex"] = Module(
        5, 1, {"a": Item("a", "old", 1, 100), "b": Item("b", "mine", 1, 300), "c": Item("c", "here", 1, 100)}
    )
    other = Module(
        6, 1, {"a": Item("a", "new", 2, 200), "b": Item("b", "theirs", 9, 200), "c": Item("c", None, 2, 150)}
    )
    assert smd.merge("sindex", other, cluster_key=7)
    assert smd.modules["sindex"].live() == {"a": "new", "b": "mine"}
    assert (smd.modules["sindex"].committed_key, smd.modules["sindex"].committed_tid) == (7, 1)


def test_of_two_truncations_the_later_limit_wins_whatever_its_timestamp(tmp_path: Path) -> None:
    smd = an_smd(tmp_path)
    smd.modules["truncate"] = Module(5, 1, {"test": Item("test", "900", 1, 100)})
    assert not smd.merge("truncate", Module(6, 1, {"test": Item("test", "800", 1, 999)}), cluster_key=7)
    assert smd.modules["truncate"].live() == {"test": "900"}
