"""The device header: what was written is read back, and nothing else is taken for a header."""

import dataclasses

import pytest
from aerokeep_node.formats.device_header import (
    FEWEST_BYTES,
    BadHeaderError,
    DeviceHeader,
    disagreements,
    is_blank,
    parse_device_header,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.device_headers import a_header, written

HEADERS = st.builds(
    DeviceHeader,
    version=st.sampled_from([3, 4]),
    namespace=st.from_regex(r"\A[A-Za-z0-9_-]{1,31}\Z"),
    n_devices=st.integers(1, 128),
    random=st.integers(1, 2**64 - 1),
    flags=st.integers(0, 31),
    write_block_size_bytes=st.sampled_from([131072, 1048576, 8388608]),
    device_id=st.integers(0, 127),
    pristine_offset_bytes=st.integers(0, 2**40),
    partitions_held=st.integers(0, 4096),
)
A_HEADER = a_header()


@given(HEADERS)
def test_a_header_is_read_back_as_it_was_written(header: DeviceHeader) -> None:
    assert parse_device_header(bytes(written(header))) == header


def test_the_magic_bytes_are_those_of_the_hexdump() -> None:
    assert bytes(written(A_HEADER))[:8] == bytes.fromhex("2203737572744943".replace(" ", ""))


@given(st.binary(max_size=200), st.integers(0, FEWEST_BYTES + 100))
def test_no_bytes_whatever_break_the_parser(noise: bytes, size: int) -> None:
    start = (noise + bytes(size))[:size]
    with pytest.raises(BadHeaderError):
        parse_device_header(start)


def test_a_blank_device_is_told_from_a_foreign_one() -> None:
    assert is_blank(bytes(512))
    with pytest.raises(BadHeaderError, match="blank"):
        parse_device_header(bytes(FEWEST_BYTES))
    with pytest.raises(BadHeaderError, match="bad_magic"):
        parse_device_header(b"\x01" * FEWEST_BYTES)
    with pytest.raises(BadHeaderError, match="short"):
        parse_device_header(b"\x01" * 4096)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 2}, "bad_version"),
        ({"random": 0}, "bad_random"),
        ({"n_devices": 0}, "bad_n_devices"),
        ({"write_block_size_bytes": 0}, "bad_write_block_size"),
        ({"device_id": 128}, "bad_device_id"),
        ({"namespace": ""}, "bad_namespace"),
    ],
)
def test_what_the_server_would_refuse_is_refused(change: dict[str, object], code: str) -> None:
    with pytest.raises(BadHeaderError, match=code):
        parse_device_header(bytes(written(dataclasses.replace(A_HEADER, **change))))  # type: ignore[arg-type] # by table


def test_flags_have_names() -> None:
    header = dataclasses.replace(A_HEADER, flags=0x1 | 0x8)
    assert header.trusted
    assert header.strong_consistency
    assert not header.encrypted
    assert not header.commit_to_device


def test_a_whole_set_agrees_and_any_defect_is_named() -> None:
    other = dataclasses.replace(A_HEADER, device_id=1)
    assert disagreements([A_HEADER, other]) == []
    assert disagreements([other, A_HEADER]) == []
    assert "count_differs" in disagreements([A_HEADER])[0]
    assert "positions_differ" in disagreements([A_HEADER, A_HEADER])[0]
    assert "signatures_differ" in disagreements([A_HEADER, dataclasses.replace(other, random=78)])[0]
    assert "namespaces_differ" in disagreements([A_HEADER, dataclasses.replace(other, namespace="x")])[0]
    assert disagreements([]) != []
