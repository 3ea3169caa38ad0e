"""What a replaced node begins with: nothing may be left in no server, and the reason is told."""

from typing import Any

import pytest
from aerokeep.model.cluster import DataPolicy
from aerokeep.model.errors import NotReadyError, RejectedError
from aerokeep.model.inventory import InventoryDevice, NodeInventory
from aerokeep.model.replacement import PeerView, Word
from aerokeep.rules.replacement_data import choose_data
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_node_inventory


def a_raw_node(**changes: Any) -> NodeInventory:  # noqa: ANN401 - any field
    """A node whose only namespace is on a raw device."""
    device = InventoryDevice(namespace="test", path="/dev/nvme1n1", role="device", index=0, volume_id="vol-a1")
    return a_node_inventory(**{"devices": (device,), **changes})


def a_peer(number: int = 2, **changes: Any) -> PeerView:  # noqa: ANN401 - any field
    return PeerView(**{"node_id": f"A{number}", "word": Word.SERVER_ANSWERS, **changes})


WHOLE = (a_peer(2), a_peer(3))


def test_the_default_brings_its_own_volumes_back_and_says_what_that_costs() -> None:
    choice = choose_data(DataPolicy.REATTACH, node=a_raw_node(), peers=WHOLE)
    assert (choice.data, choice.emptied) == ("reattach", ())
    assert "deletes since its last start may come back" in choice.reason


def test_auto_begins_empty_where_the_peers_hold_every_copy() -> None:
    choice = choose_data(DataPolicy.AUTO, node=a_raw_node(), peers=WHOLE)
    assert (choice.data, choice.emptied) == ("empty", ("test",))


@pytest.mark.parametrize(
    ("node", "peers", "why"),
    [
        (a_raw_node(replication_factors={"test": 1}), WHOLE, "one copy"),
        (a_raw_node(replication_factors={}), WHOLE, "one copy"),
        (a_raw_node(), (a_peer(2), PeerView(node_id="A3", word=Word.UNHEARD)), "A3 could not be asked"),
        (a_raw_node(), (a_peer(2, missing_partitions=3), a_peer(3)), "3 partitions are unavailable or dead"),
        (a_node_inventory(), WHOLE, "a blank volume has no filesystem"),
    ],
)
def test_where_data_would_be_missing_auto_reattaches_and_empty_is_refused(
    node: NodeInventory, peers: tuple[PeerView, ...], why: str
) -> None:
    choice = choose_data(DataPolicy.AUTO, node=node, peers=peers)
    assert choice.data == "reattach"
    assert why in choice.reason
    with pytest.raises(RejectedError, match="empty_refused") as refused:
        choose_data(DataPolicy.EMPTY, node=node, peers=peers)
    assert why in str(refused.value)


def test_while_the_peers_make_their_copies_whole_auto_reattaches_and_empty_waits() -> None:
    peers = (a_peer(2, migrations_remaining=9), a_peer(3))
    choice = choose_data(DataPolicy.AUTO, node=a_raw_node(), peers=peers)
    assert choice.data == "reattach"
    assert "still make 9 partitions whole" in choice.reason
    with pytest.raises(NotReadyError, match="peers_migrating"):
        choose_data(DataPolicy.EMPTY, node=a_raw_node(), peers=peers)
    with pytest.raises(RejectedError, match="one copy"):
        choose_data(DataPolicy.EMPTY, node=a_raw_node(replication_factors={"test": 1}), peers=peers)


def test_strongly_consistent_namespaces_come_back_with_their_own_volumes_unless_a_person_says_otherwise() -> None:
    node = a_raw_node(strongly_consistent=("test",))
    assert choose_data(DataPolicy.AUTO, node=node, peers=WHOLE).data == "reattach"
    assert choose_data(DataPolicy.EMPTY, node=node, peers=WHOLE).data == "empty"


def test_what_was_on_no_volume_of_its_own_is_emptied_even_so() -> None:
    on_root = InventoryDevice(namespace="cache", path="/var/cache.dat", role="file", index=0, volume_id="vol-root1")
    raw = InventoryDevice(namespace="test", path="/dev/nvme1n1", role="device", index=0, volume_id="vol-a1")
    node = a_node_inventory(devices=(on_root, raw), replication_factors={"cache": 2, "test": 2})
    choice = choose_data(DataPolicy.REATTACH, node=node, peers=WHOLE)
    assert (choice.data, choice.emptied) == ("reattach", ("cache",))
    assert "cache were on no volume of their own" in choice.reason


@given(
    st.sampled_from(DataPolicy),
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from(Word), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4),
)
def test_nothing_begins_empty_that_has_no_copy_elsewhere(
    policy: DataPolicy, copies: int, told: list[tuple[Word, int, int]]
) -> None:
    peers = tuple(
        a_peer(number, word=word, missing_partitions=missing, migrations_remaining=left)
        for number, (word, missing, left) in enumerate(told, start=2)
    )
    try:
        choice = choose_data(policy, node=a_raw_node(replication_factors={"test": copies}), peers=peers)
    except (NotReadyError, RejectedError):
        assert policy is DataPolicy.EMPTY
        return
    if choice.data == "empty":
        assert copies > 1
        assert all(told == (Word.SERVER_ANSWERS, 0, 0) for told in told)
