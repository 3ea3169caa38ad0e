"""A node-id that was made of a MAC stays with the interface; any other must be written down."""

import pytest
from aerokeep.aerospike.node_id import made_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("node_id", "mac", "same"),
    [
        ("BB9020011AC4202", "02:42:AC:11:00:02", True),
        ("bb9020011ac4202", "02:42:ac:11:00:02", True),
        ("BB9020011AC4202", "02:42:AC:11:00:03", False),
        ("A1", "02:42:AC:11:00:02", False),
        ("BB9020011AC4202", "", False),
    ],
)
def test_a_node_id_is_the_port_and_the_mac_from_behind(node_id: str, mac: str, *, same: bool) -> None:
    assert made_of(node_id, mac) is same


@given(st.lists(st.integers(0, 255), min_size=6, max_size=6), st.integers(0, 255))
def test_another_mac_makes_another_node_id(octets: list[int], other: int) -> None:
    def mac(values: list[int]) -> str:
        return ":".join(f"{value:02x}" for value in values)

    node_id = "BB9" + "".join(f"{value:02X}" for value in reversed(octets))
    assert made_of(node_id, mac(octets))
    assert made_of(node_id, mac([other, *octets[1:]])) == (other == octets[0])
