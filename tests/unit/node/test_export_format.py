"""asbackup's text format: what the real tool wrote is read, and what is written is read back."""

import io

import pytest
from aerokeep_node.formats.asb import (
    BadExportError,
    Bin,
    Entry,
    Header,
    Index,
    Record,
    Udf,
    Value,
    partition_of,
    read_export,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.tools import text

SAMPLE = b"""Version 3.1
# namespace test
# first-file
* i test test-set int-index N 1 int-bin N
* i test  string-index N 1 string-bin S
* u L test.lua 27 -- just an empty Lua file


+ k S 4 a\nb\\
+ n test
+ d q+LsiGs1gD9duJDbzQSXytajtCY=
+ s test-set
+ g 1
+ t 0
+ b 9
- I int-bin -12345
- S string-bin 5 ab\nde
- D float 2.5
- B blob 8 AAECAw==
- B! plain 3 \n \n
- L list 4 kQE=
- M map 4 gQE=
- Z flag T
- N a\\ nil\\\\bin
"""

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15)
blobs = st.binary(max_size=40)
texts = st.one_of(
    st.tuples(st.just("I"), st.integers(-(1 << 63), (1 << 63) - 1).map(lambda n: b"%d" % n)),
    st.tuples(st.just("D"), st.floats().map(lambda f: f"{f:.17g}".encode())),
    st.tuples(st.sampled_from("SB"), blobs),
)
kinds = st.one_of(
    texts,
    st.tuples(st.just("N"), st.just(b"")),
    st.tuples(st.just("Z"), st.sampled_from([b"T", b"F"])),
    st.tuples(st.sampled_from("GJCPRHEYML"), blobs),
)
records = st.builds(
    Record,
    namespace=names,
    digest=st.binary(min_size=20, max_size=20),
    set_name=st.none() | names,
    key=st.none() | texts.map(lambda pair: Value(*pair)),
    generation=st.integers(0, 65535),
    void_time=st.integers(0, (1 << 32) - 1),
    bins=st.lists(st.tuples(names, kinds).map(lambda pair: Bin(pair[0], *pair[1])), max_size=4).map(tuple),
    raw=st.just(b""),
)
indexes = st.builds(
    Index,
    namespace=names,
    set_name=st.just("") | names,
    name=names,
    kind=st.sampled_from("NLKV"),
    path=names,
    path_kind=st.sampled_from("NSGB"),
    context=st.just("") | names,
)
udfs = st.builds(Udf, name=names, content=blobs)


def everything(content: bytes) -> list[Entry]:
    return list(read_export(io.BytesIO(content)))


def test_what_the_real_tool_writes_is_read() -> None:
    header, numeric, string, module, record = everything(SAMPLE)
    assert header == Header("test", first_file=True)
    assert numeric == Index("test", "test-set", "int-index", "N", "int-bin", "N", "")
    assert string == Index("test", "", "string-index", "N", "string-bin", "S", "")
    assert module == Udf("test.lua", b"-- just an empty Lua file\n\n")
    assert isinstance(record, Record)
    assert record.key == Value("S", b"a\nb\\")
    assert partition_of(record.digest) == 0x2AB
    assert [(part.name, part.kind, part.raw) for part in record.bins] == [
        ("int-bin", "I", b"-12345"),
        ("string-bin", "S", b"ab\nde"),
        ("float", "D", b"2.5"),
        ("blob", "B", b"\0\1\2\3"),
        ("plain", "B", b"\n \n"),
        ("list", "L", b"\x91\x01"),
        ("map", "M", b"\x81\x01"),
        ("flag", "Z", b"T"),
        ("a nil\\bin", "N", b""),
    ]
    assert SAMPLE.endswith(record.raw)


@settings(max_examples=150)
@given(
    namespace=names,
    first=st.booleans(),
    found=st.lists(st.one_of(records, indexes, udfs), max_size=4),
    compact=st.booleans(),
)
def test_what_is_written_is_read_back(
    namespace: str,
    first: bool,  # noqa: FBT001 - hypothesis passes by name
    found: list[Record | Index | Udf],
    compact: bool,  # noqa: FBT001 - the same
) -> None:
    content = text.header(namespace) + (text.FIRST_FILE if first else b"")
    for entry in found:
        match entry:
            case Record():
                content += text.record(entry, compact=compact)
            case Index():
                content += text.index(entry)
            case Udf():
                content += text.udf(entry)
    read = everything(content)
    assert read[0] == Header(namespace, first_file=first)
    assert [e._replace(raw=b"") if isinstance(e, Record) else e for e in read[1:]] == found
    raws = [e.raw for e in read if isinstance(e, Record)]
    assert raws == [text.record(e, compact=compact) for e in found if isinstance(e, Record)]


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_truncated_export_is_refused_unless_it_ends_between_two_entries(size: int) -> None:
    whole = everything(SAMPLE)
    try:
        read = everything(SAMPLE[:size])
    except BadExportError:
        return
    assert read == whole[: len(read)] or read == [Header("test", first_file=False)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Version 3.1", b"Version 3.0"),
        (b"# namespace test\n", b""),
        (b"# first-file", b"# first"),
        (b" N 1 int-bin", b" N 2 int-bin"),
        (b"+ g 1\n", b"+ g 65536\n"),
        (b"+ t 0\n", b"+ t -1\n"),
        (b"+ b 9\n", b"+ b 8\n"),
        (b"+ d q+Ls", b"+ d q"),
        (b"- I int-bin -12345\n", b"- I int-bin 9223372036854775808\n"),
        (b"- D float 2.5\n", b"- D float much\n"),
        (b"- Z flag T\n", b"- Z flag t\n"),
        (b"string-bin 5 ", b"string-bin 4 "),
        (b"8 AAECAw==", b"8 AAECA*=="),
        (b"- L list", b"- Q list"),
    ],
)
def test_what_the_format_does_not_allow_is_refused(old: bytes, new: bytes) -> None:
    assert SAMPLE.count(old) == 1
    with pytest.raises(BadExportError, match=r"^line \d+: "):
        everything(SAMPLE.replace(old, new))


def test_nothing_is_no_export() -> None:
    with pytest.raises(BadExportError):
        everything(b"")
