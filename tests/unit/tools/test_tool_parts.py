"""Parts of the backup tools' stand-ins: values, coded streams, command lines and the words they say."""

import base64
import hashlib
import io
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.packed import UnreadableError, pack, unpack
from sandbox.standin import filter_expression, record
from sandbox.standin.filter_expression import UnknownExpressionError
from sandbox.tools import backup_options, restore_options, values
from sandbox.tools.limiter import Limiter
from sandbox.tools.options import Pace, local_time
from sandbox.tools.streams import Coding, KeyUnusableError, Sink, Source, key_of
from sandbox.tools.words import eta

numbers = st.integers(-(1 << 63), (1 << 64) - 1)
scalars = st.one_of(st.none(), st.booleans(), numbers, st.floats(allow_nan=False), st.text(), st.binary())
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20), st.dictionaries(st.one_of(numbers, st.text(), st.binary()), inner, max_size=20)
    ),
    max_leaves=30,
)
bins = st.one_of(
    st.booleans(),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.lists(trees, max_size=3),
    st.dictionaries(st.text(), trees, max_size=3),
)


@settings(max_examples=60)
@given(trees)
def test_what_is_packed_is_unpacked_again(tree: Any) -> None:  # noqa: ANN401 - any tree of values
    assert unpack(pack(tree)) == tree


def test_lists_and_maps_are_packed_as_the_official_client_does_and_marks_of_order_are_passed_over() -> None:
    assert pack([1, -5, "ab", b"xy", 2.5, None, True, [1]]).hex() == "9801fba3036162a3047879cb4004000000000000c0c39101"
    assert pack({3: b"q", "a": "z", "b": 1}).hex() == "8303a20471a20361a2037aa2036201"
    assert unpack(bytes.fromhex("82c70001c0a2036101")) == {"a": 1}
    assert unpack(bytes.fromhex("92c7000101")) == [1]


@given(st.binary(max_size=12))
def test_bytes_that_are_no_packed_value_are_refused_and_nothing_else_happens(raw: bytes) -> None:
    try:
        unpack(raw)
    except UnreadableError:
        return


@given(bins)
def test_a_bin_keeps_its_value_through_its_text(value: Any) -> None:  # noqa: ANN401 - any value of a bin
    back = values.from_text(values.to_text(value))
    assert back == value
    assert isinstance(back, bytearray if isinstance(value, bytes) else type(value))


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=5000), max_size=5), st.booleans(), st.sampled_from([None, 16, 32]))
def test_a_coded_stream_gives_back_what_was_written(parts: list[bytes], compress: bool, key_bytes: int | None) -> None:  # noqa: FBT001 - hypothesis passes by name
    coding = Coding(compress=compress, key=b"k" * key_bytes if key_bytes else None)
    file = Kept()
    sink = Sink(file, coding)
    for part in parts:
        sink.write(part)
    sink.close()
    assert sink.written == len(file.content)
    source = Source(io.BytesIO(file.content), coding)
    assert source.text.read() == b"".join(parts)
    assert source.taken == len(file.content)


class Kept(io.BytesIO):
    """A file whose content outlives its closing."""

    content = b""

    def close(self) -> None:
        self.content = self.getvalue()
        super().close()


def test_an_encrypted_file_begins_with_its_encrypted_counter_and_goes_on_with_the_next_one() -> None:
    key = bytes(range(32))
    file = Kept()
    sink = Sink(file, Coding(key=key))
    sink.write(b"Version 3.1\n")
    sink.close()
    block = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - one block, as the format wants it
    counter = int.from_bytes(block.update(file.content[:16]), "big")
    assert abs((counter >> 96) - time.time()) < 60
    following = (counter + 1).to_bytes(16, "big")
    plain = Cipher(algorithms.AES(key), modes.CTR(following)).decryptor().update(file.content[16:])
    assert plain == b"Version 3.1\n"


def test_a_compressed_stream_that_is_cut_is_an_error() -> None:
    coding = Coding(compress=True)
    file = Kept()
    sink = Sink(file, coding)
    sink.write(b"x" * 1000)
    sink.close()
    with pytest.raises(OSError, match="too early"):
        Source(io.BytesIO(file.content[:-3]), coding).text.read()


def test_a_key_comes_from_a_private_key_in_any_pem_or_from_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain, older = serialization.NoEncryption(), serialization.PrivateFormat.TraditionalOpenSSL
    digest = hashlib.sha256(key.private_bytes(serialization.Encoding.DER, older, plain)).digest()
    for form in (older, serialization.PrivateFormat.PKCS8):
        (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
        assert key_of("aes256", file=str(tmp_path / "key.pem"), variable=None) == digest
        assert key_of("aes128", file=str(tmp_path / "key.pem"), variable=None) == digest[:16]
    monkeypatch.setenv("A_KEY", base64.b64encode(b"secret").decode())
    assert key_of("aes256", file=None, variable="A_KEY") == hashlib.sha256(b"secret").digest()
    (tmp_path / "none.pem").write_text("no key")
    for file, variable in ((str(tmp_path / "none.pem"), None), ("/nowhere", None), (None, "NONE"), (None, None)):
        with pytest.raises(KeyUnusableError):
            key_of("aes128", file=file, variable=variable)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (65, "1m5s"), (3600, "1h0m0s"), (90061, "1d1h1m1s"), (9_000_000, ">100d")]
)
def test_a_remaining_time_is_shown_as_the_real_tools_show_it(seconds: int, shown: str) -> None:
    assert eta(seconds) == shown


def test_the_short_and_long_options_of_both_tools_are_read() -> None:
    short = "-h 10.0.0.1 -p 3001 -n test -o - -w 4 -s a,b -L 100 -N 5 -x -I -u -m /m -C -r --prefer-racks 1"
    args = backup_options.read(list(short.split()))
    assert (args.host, args.port, args.output_file, args.set) == ("10.0.0.1", 3001, "-", ["a", "b"])
    assert [(part.begin, part.size) for part in args.parts] == [(0, 1024), (1024, 1024), (2048, 1024), (3072, 1024)]
    assert (args.records_per_second, args.nice, args.no_bins, args.no_udfs, args.compact) == (100, 5, True, True, True)
    long = "--namespace test --directory /d --file-limit 10 --partition-list 0-2048,4000 --no-indexes --no-records"
    args = backup_options.read(list(long.split()))
    assert [(part.begin, part.size) for part in args.parts] == [(0, 2048), (4000, 1)]
    restoring = "-n a,b -i - -t 4 -r -g -l 60 -L -w -N 5,1000 --ignore-record-error"
    args = restore_options.read(list(restoring.split()))
    assert (args.namespace, args.parallel, args.extra_ttl, args.pace) == (["a", "b"], 4, 60, Pace(5 << 20, 1000))
    assert args.replace
    assert args.no_generation
    assert args.ignore_record_error


def test_a_digest_in_a_partition_list_stands_for_the_rest_of_its_partition() -> None:
    digest = bytes([0x34, 0x12, *range(18)])
    shown = base64.b64encode(digest).decode()
    args = backup_options.read(["-n", "test", "-o", "-", "-X", f"7,{shown}"])
    assert args.parts[1] == backup_options.Part(0x234, 1, digest)
    args = backup_options.read(["-n", "test", "-o", "-", "-D", shown])
    assert args.parts == [backup_options.Part(0x234, 1, digest), backup_options.Part(0x235, 4096 - 0x235)]


def test_times_are_local(monkeypatch: pytest.MonkeyPatch) -> None:
    for zone, seconds in (("UTC", 1_700_000_000), ("EST5", 1_700_000_000 + 5 * 3600)):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert local_time("2023-11-14_22:13:20") == seconds * 1_000_000_000
    monkeypatch.undo()
    time.tzset()


def test_a_limiter_holds_its_pace_until_it_is_stopped() -> None:
    stop = threading.Event()
    limiter = Limiter(Pace(records_per_s=100), stop)
    began = time.monotonic()
    for _ in range(20):
        limiter.passed(10)
    assert time.monotonic() - began >= 0.19
    stop.set()
    limiter.passed(10, records=10_000)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ([4, [66], 1_262_304_005_000_000_000], True),
        ([5, [66], 1_262_304_005_000_000_000], False),
        ([16, [1, [70], "one"], [3, [66], 0]], True),
        ([17, [1, [70], "two"], [18, [1, [70], "one"]]], False),
        ([1, [68], -1], True),
    ],
)
def test_filter_expressions_look_at_times_and_sets(expression: list[Any], expected: bool) -> None:  # noqa: FBT001 - a parameter
    blob = record.encode(record.Record(bytes(20), 5000, 1, 0, b"one", b"", {b"a": (1, bytes(8))}))
    assert bool(filter_expression.read(pack(expression))(blob)) is expected


@pytest.mark.parametrize("packed", [b"", b"\xc1", pack([99]), pack([4, [65], 1])])
def test_expressions_beyond_the_stand_in_are_refused(packed: bytes) -> None:
    with pytest.raises(UnknownExpressionError):
        filter_expression.read(packed)
