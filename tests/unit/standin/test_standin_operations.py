"""What a transaction makes of a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.standin import wire
from sandbox.standin.operations import RefusedError, check_delete, read, write
from sandbox.standin.record import Bins, Record, decode, encode, partition_of, set_of, version_of, void_time_of
from sandbox.standin.wire import Op, Reply, Request, Result

DIGEST = bytes(range(20))
NOW_MS = 5_000_000


def a_request(*ops: Op, info1: int = 0, info2: int = wire.INFO2_WRITE, info3: int = 0, **changes: int) -> Request:
    values = {"generation": 0, "ttl": 0} | changes
    return Request(info1, info2, info3, values["generation"], values["ttl"], "test", b"demo", b"", DIGEST, list(ops))


def a_record(bins: Bins | None = None, *, generation: int = 1, updated_ms: int = 1000) -> Record:
    return Record(DIGEST, updated_ms, generation, 0, b"demo", b"", bins or {b"n": (1, (7).to_bytes(8, "big"))})


def integer(code: int, value: int) -> Op:
    return Op(code, wire.PARTICLE_INTEGER, b"n", value.to_bytes(8, "big", signed=True))


def applied(request: Request, record: Record | None) -> tuple[Reply, Record]:
    reply, new = write(request, record, now_ms=NOW_MS, default_ttl_s=0)
    assert new is not None
    return reply, new


def refusal(request: Request, record: Record | None) -> Result:
    with pytest.raises(RefusedError) as caught:
        write(request, record, now_ms=NOW_MS, default_ttl_s=0)
    return caught.value.result


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_an_increment_adds_as_a_signed_64_bit_number(start: int, step: int) -> None:
    record = a_record({b"n": (1, start.to_bytes(8, "big", signed=True))})
    _, new = applied(a_request(integer(wire.OP_INCR, step)), record)
    total = (start + step + 2**63) % 2**64 - 2**63
    assert int.from_bytes(new.bins[b"n"][1], "big", signed=True) == total


def test_a_write_keeps_other_bins_and_a_replace_drops_them() -> None:
    op = Op(wire.OP_WRITE, 3, b"s", b"x")
    assert set(applied(a_request(op), a_record())[1].bins) == {b"n", b"s"}
    replaced = applied(a_request(op, info3=wire.INFO3_CREATE_OR_REPLACE), a_record())[1]
    assert set(replaced.bins) == {b"s"}


def test_a_later_update_never_looks_older_even_if_this_nodes_clock_is_behind() -> None:
    _, new = applied(a_request(integer(wire.OP_WRITE, 1)), a_record(updated_ms=NOW_MS + 60_000))
    assert new.updated_ms == NOW_MS + 60_001
    assert new.generation == 2


def test_conditions_are_refused_with_the_real_codes() -> None:
    op = integer(wire.OP_WRITE, 1)
    assert refusal(a_request(op, info2=wire.INFO2_WRITE | wire.INFO2_CREATE_ONLY), a_record()) is Result.EXISTS
    assert refusal(a_request(op, info3=wire.INFO3_UPDATE_ONLY), None) is Result.NOT_FOUND
    assert refusal(a_request(op, info3=wire.INFO3_REPLACE_ONLY), None) is Result.NOT_FOUND
    assert refusal(a_request(Op(wire.OP_TOUCH, 0, b"", b"")), None) is Result.NOT_FOUND
    generation = wire.INFO2_WRITE | wire.INFO2_GENERATION
    assert refusal(a_request(op, info2=generation, generation=3), a_record(generation=2)) is Result.GENERATION
    assert refusal(a_request(Op(wire.OP_INCR, 3, b"n", b"x")), a_record()) is Result.BIN_TYPE
    assert refusal(a_request(Op(4, 0, b"n", b"")), a_record()) is Result.UNSUPPORTED


def test_a_record_whose_last_bin_goes_goes_too() -> None:
    gone = a_request(Op(wire.OP_WRITE, wire.PARTICLE_NULL, b"n", b""))
    assert write(gone, a_record(), now_ms=NOW_MS, default_ttl_s=0)[1] is None


def test_durable_deletes_are_for_the_enterprise() -> None:
    with pytest.raises(RefusedError, match="ENTERPRISE_ONLY"):
        check_delete(a_request(info2=wire.INFO2_WRITE | wire.INFO2_DELETE | wire.INFO2_DURABLE_DELETE), a_record())


def test_ttl_counts_from_now_and_the_special_values_mean_never_and_unchanged() -> None:
    op = integer(wire.OP_WRITE, 1)
    assert applied(a_request(op, ttl=10), None)[1].void_time == NOW_MS // 1000 + 10
    assert applied(a_request(op, ttl=0xFFFFFFFF), None)[1].void_time == 0
    assert applied(a_request(op, ttl=0xFFFFFFFE), a_record()._replace(void_time=99))[1].void_time == 99


def test_a_read_shows_all_bins_or_those_asked_for_or_none() -> None:
    record = a_record({b"a": (1, b"1"), b"b": (1, b"2")})
    everything = read(a_request(info1=wire.INFO1_READ | wire.INFO1_GET_ALL, info2=0), record)
    assert [op.name for op in everything.ops] == [b"a", b"b"]
    chosen = read(a_request(Op(wire.OP_READ, 0, b"b", b""), info1=wire.INFO1_READ, info2=0), record)
    assert [op.name for op in chosen.ops] == [b"b"]
    assert read(a_request(info1=wire.INFO1_READ | wire.INFO1_NO_BIN_DATA, info2=0), record).ops == ()
    assert read(a_request(info1=wire.INFO1_READ, info2=0), None).result is Result.NOT_FOUND


RECORDS = st.builds(
    Record,
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**60),
    st.integers(1, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=63),
    st.binary(max_size=40),
    st.dictionaries(st.binary(max_size=15), st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=5),
)


@given(RECORDS)
def test_a_record_survives_its_bytes(record: Record) -> None:
    blob = encode(record)
    assert decode(blob) == record
    assert version_of(blob) == (record.updated_ms, record.generation)
    assert (void_time_of(blob), set_of(blob)) == (record.void_time, record.set_name)
    assert 0 <= partition_of(blob[:20]) < 4096


@given(st.binary(max_size=200))
def test_garbage_from_a_client_is_a_protocol_error_and_nothing_else(body: bytes) -> None:
    for parse in (wire.parse_request, wire.parse_batch):
        try:
            parse(body)
        except (wire.ProtocolError, UnicodeDecodeError):
            continue


@given(st.lists(st.builds(Op, st.just(2), st.integers(0, 30), st.binary(max_size=15), st.binary(max_size=99))))
def test_a_request_handed_on_to_another_node_arrives_unchanged(ops: list[Op]) -> None:
    request = a_request(*ops, info1=1, info3=8, generation=3, ttl=9)
    request.key = b"\x03k"
    assert wire.parse_request(wire.encode_request(request)) == request
