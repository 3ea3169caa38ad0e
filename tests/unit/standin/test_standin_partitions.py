"""Partitions are spread evenly, known to all alike, and move no more than they must."""

import base64

from sandbox.standin.partitions import bitmaps, owners, versions


def test_each_partition_has_one_master_and_distinct_replicas_spread_evenly() -> None:
    table = owners(("A3", "A2", "A1"), 2)
    assert len(table) == 4096
    assert all(len(set(nodes)) == 2 for nodes in table)
    for node in ("A1", "A2", "A3"):
        assert 1200 < sum(nodes[0] == node for nodes in table) < 1530


def test_a_node_that_leaves_moves_only_its_own_partitions() -> None:
    before, after = owners(("A3", "A2", "A1"), 2), owners(("A2", "A1"), 2)
    assert all(old[0] == new[0] for old, new in zip(before, after, strict=True) if old[0] != "A3")


def test_the_replicas_reply_covers_every_partition_once_per_copy() -> None:
    table = owners(("A3", "A2", "A1"), 2)
    for rank in range(2):
        seen = [0] * 4096
        for node in ("A1", "A2", "A3"):
            regime, copies, *maps = bitmaps(table, node, 2).split(",")
            assert (regime, copies) == ("0", "2")
            bits = base64.b64decode(maps[rank])
            for pid in range(4096):
                seen[pid] += bits[pid >> 3] >> (7 - (pid & 7)) & 1
        assert seen == [1] * 4096


def test_the_header_names_the_held_partitions_and_marks_the_masters() -> None:
    table = owners(("A3", "A2", "A1"), 2)
    stamped = versions(table, "A1", 0xABC)
    for nodes, version in zip(table, stamped, strict=True):
        assert (version & (2**48 - 1) == 0xABC) == ("A1" in nodes)
        assert bool(version >> 61 & 1) == (nodes[0] == "A1")
