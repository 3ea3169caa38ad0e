"""SMD files: whole ones are read back, torn ones are never taken for whole."""

import json

import pytest
from aerokeep_node.formats.smd import BadSmdError, SmdFile, SmdItem, parse_smd
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.integers(0, 2**63)
ITEMS = st.builds(SmdItem, key=st.text(), value=st.none() | st.text(), generation=COUNTS, timestamp=COUNTS)
FILES = st.builds(SmdFile, cluster_key=COUNTS, tid=COUNTS, items=st.lists(ITEMS, max_size=5).map(tuple))


def written(file: SmdFile) -> bytes:
    items = [vars(item) for item in file.items]
    return json.dumps([[file.cluster_key, file.tid], *items]).encode()


@given(FILES)
def test_a_file_is_read_back_as_it_was_written(file: SmdFile) -> None:
    assert parse_smd(written(file)) == file


@given(FILES, st.data())
def test_a_torn_copy_is_never_taken_for_whole(file: SmdFile, data: st.DataObject) -> None:
    whole = written(file)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BadSmdError, match="not_json"):
        parse_smd(whole[:cut])


@given(st.binary())
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadSmdError):
        parse_smd(b"\0" + noise)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", "bad_version_vector"),
        ("{}", "bad_version_vector"),
        ("[[1]]", "bad_version_vector"),
        ("[[1,true]]", "bad_version_vector"),
        ("[[1,2],3]", "bad_item"),
        ('[[1,2],{"key":"k","generation":1,"timestamp":1}]', "bad_item"),
        ('[[1,2],{"key":"k","value":7,"generation":1,"timestamp":1}]', "bad_item"),
        ('[[1,2],{"key":"k","value":"v","generation":-1,"timestamp":1}]', "bad_item"),
    ],
)
def test_json_of_another_shape_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadSmdError, match=code):
        parse_smd(text.encode())


def test_an_empty_module_and_a_tombstone_are_fine() -> None:
    assert parse_smd(b"[[0,0]]").version == (0, 0)
    tombstone = b'[[9,1],{"key":"k","value":null,"generation":2,"timestamp":5}]'
    assert parse_smd(tombstone).items[0].value is None
