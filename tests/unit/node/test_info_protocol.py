"""The info protocol: only the literal ok is success, in whatever form a version says no."""

import struct

import pytest
from aerokeep_node.info import encode_request, error_of, is_security_error, pairs_of, parse_reply
from hypothesis import given
from hypothesis import strategies as st


def test_a_request_has_the_eight_byte_header_of_the_protocol() -> None:
    frame = encode_request("status")
    assert frame == struct.pack(">BB", 2, 1) + (7).to_bytes(6, "big") + b"status\n"


def test_a_reply_is_what_stands_behind_the_tab() -> None:
    assert parse_reply(b"build\t8.1.2.0\n", "build") == "8.1.2.0"
    assert parse_reply(b"services\t\n", "services") == ""
    assert parse_reply(b"status\n", "status") == ""


@pytest.mark.parametrize(
    "reply",
    [
        "error",
        "ERROR:4:invalid set-config parameter",
        "ERROR:20:namespace not found on node",
        "ERROR::unstable-cluster",
        "ERROR:25:enterprise only",
        "FAIL:80:not authenticated",
        "fail",
    ],
)
def test_every_form_of_no_is_an_error(reply: str) -> None:
    assert error_of(reply) == reply


@pytest.mark.parametrize("reply", ["ok", "", "false", "errors=0;x=1", "AF52D311FF86", "error-free=true"])
def test_values_are_no_errors(reply: str) -> None:
    assert error_of(reply) is None


def test_a_login_demand_is_told_apart() -> None:
    assert is_security_error("ERROR:80:not authenticated")
    assert not is_security_error("ERROR:4:unrecognized command")


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z.\[\]0-9-]+\Z"), st.from_regex(r"\A[^;]*\Z"))))
def test_pairs_survive_being_joined_and_split(pairs: list[tuple[str, str]]) -> None:
    assert pairs_of(";".join(f"{key}={value}" for key, value in pairs)) == pairs
