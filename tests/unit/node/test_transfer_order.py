"""Orders of exports and imports are read to the letter; what nobody can carry out is refused by the field's name."""

import copy
from typing import Any

import pytest
from aerokeep_node.refusal import RefusalError
from aerokeep_node.transfer.order import EXPORT_KINDS, IMPORT_KINDS, Order, parse_order

PART = {"name": "test-00", "namespace": "test", "partitions": "0-2048", "metadata": True, "expected_bytes": 7}
IMPORT_PART = {
    "name": "test-00", "namespace": "test", "target": "other", "skip": 1, "metadata": False,
    "listing": {"key": "clusters/demo/exports/e1/test-00.0123456789abcdef.files.json", "sha256": "0" * 64},
}  # fmt: skip
VERIFY_PART = {**IMPORT_PART, "partitions": "0-10,12"}
SPEC: dict[str, Any] = {
    "kind": "export", "run": "demo-20260101t000000Z", "token": "0123456789abcdef",
    "server": {"address": "10.0.0.5", "port": 3000},
    "bucket": "a-vault", "region": "eu-central-1", "prefix": "clusters/demo/exports/e1",
    "parts": [PART], "mode": "stream", "directory": "/var/lib/aerokeep/transfer",
    "at_once": 1, "parallel": 4, "sets": ["demo", "other"], "modified_after": "2026-01-01_00:00:00",
    "modified_before": None, "records_per_second": 0, "bandwidth_mibps": 0, "nice": 10, "prefer_rack": None,
    "compression": "gzip", "encryption": None, "file_mib": 250, "needed_mib": 0, "begin_at": None, "end_at": None,
    "silence_s": 1800,
}  # fmt: skip
IMPORT_ONLY = {"kind": "import", "parts": [IMPORT_PART], "write": "unique", "extra_ttl_s": 0, "indexes_last": True}
ENCRYPTION = {"mode": "aes128", "key": "file:/etc/aerokeep/key.pem", "check": None}


def an_order(kinds: tuple[str, ...] = EXPORT_KINDS, **changes: Any) -> Order:  # noqa: ANN401 - any field
    return parse_order({**copy.deepcopy(SPEC), **changes}, kinds)


def an_import(**changes: Any) -> Order:  # noqa: ANN401 - any field
    return an_order(IMPORT_KINDS, **{**IMPORT_ONLY, **changes})


def test_an_export_order_is_read() -> None:
    order = an_order(encryption=ENCRYPTION, compression="zstd")
    assert order.export_parts[0].partitions == "0-2048"
    assert order.import_parts == []
    assert order.key_of("test-00", ".asb.gz") == "clusters/demo/exports/e1/test-00.0123456789abcdef.asb.gz"
    assert order.compressor == "none", "encrypted bytes do not compress"
    assert an_order().compressor == "gzip"


def test_an_import_order_is_read() -> None:
    order = an_import(write="replace", extra_ttl_s=60, indexes_last=False)
    assert (order.write, order.extra_ttl_s, order.indexes_last) == ("replace", 60, False)
    assert (order.import_parts[0].target, order.import_parts[0].skip) == ("other", 1)
    verify = an_order(IMPORT_KINDS, kind="verify", parts=[VERIFY_PART], sample={"partitions": [12, 999]})
    assert verify.sample == (12, 999)
    assert verify.import_parts[0].sampled(verify.sample) == [12]


@pytest.mark.parametrize("field", [*SPEC, *IMPORT_ONLY])
def test_a_missing_field_is_named(field: str) -> None:
    spec = {**copy.deepcopy(SPEC), **IMPORT_ONLY}
    del spec[field]
    with pytest.raises(RefusalError, match=f"spec_invalid.*{field}"):
        parse_order(spec, IMPORT_KINDS)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"colour": 1}, "colour"),
        ({"write": "unique"}, "write"),
        ({"kind": "import"}, "kind"),
        ({"run": "../x"}, "run"),
        ({"token": "short"}, "token"),
        ({"server": {"address": "-P x", "port": 3000}}, "address"),
        ({"server": {"address": "10.0.0.5", "port": 0}}, "port"),
        ({"server": {"address": "10.0.0.5", "port": 3000, "user": "x"}}, "user"),
        ({"bucket": "No"}, "bucket"),
        ({"prefix": "/x"}, "prefix"),
        ({"parts": []}, "parts"),
        ({"parts": [PART] * 2}, "twice"),
        ({"parts": [{**PART, "name": f"p{n}"} for n in range(65)]}, "parts"),
        ({"parts": [{**PART, "name": "a/b"}]}, "name"),
        ({"parts": [{**PART, "namespace": "-x"}]}, "namespace"),
        ({"parts": [{**PART, "partitions": "4000-97"}]}, "partitions"),
        ({"parts": [{**PART, "partitions": "12-"}]}, "partitions"),
        ({"parts": [{**PART, "expected_bytes": 1.5}]}, "expected_bytes"),
        ({"parts": [IMPORT_PART]}, "partitions"),
        ({"mode": "copy"}, "mode"),
        ({"directory": "/"}, "directory"),
        ({"directory": "/var/../etc"}, "directory"),
        ({"at_once": 0}, "at_once"),
        ({"parallel": True}, "parallel"),
        ({"sets": "demo"}, "sets"),
        ({"sets": ["a,b"]}, "sets"),
        ({"modified_after": "yesterday"}, "modified_after"),
        ({"nice": -5}, "nice"),
        ({"compression": "lz4"}, "compression"),
        ({"encryption": ENCRYPTION}, "compression"),
        ({"encryption": {**ENCRYPTION, "key": "password"}, "compression": "none"}, "key"),
        ({"encryption": {**ENCRYPTION, "mode": "des"}, "compression": "none"}, "mode"),
        ({"begin_at": 2.0, "end_at": 1.0}, "end_at"),
        ({"silence_s": 0}, "silence_s"),
    ],
)  # fmt: skip
def test_what_nobody_can_carry_out_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusalError, match=f"spec_invalid.*{named}"):
        an_order(**changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"write": "merge"}, "write"),
        ({"extra_ttl_s": -1}, "extra_ttl_s"),
        ({"sample": None}, "sample"),
        ({"parts": [{**IMPORT_PART, "skip": -1}]}, "skip"),
        ({"parts": [{**IMPORT_PART, "listing": {"key": "x", "sha256": "y"}}]}, "sha256"),
    ],
)
def test_what_nobody_can_import_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusalError, match=f"spec_invalid.*{named}"):
        an_import(**changes)


@pytest.mark.parametrize("sample", [{"partitions": []}, {"partitions": [4096]}, {"partitions": ["1"]}, {}, [1]])
def test_a_sample_names_partitions(sample: object) -> None:
    with pytest.raises(RefusalError, match=r"spec_invalid.*(sample|partitions)"):
        an_order(IMPORT_KINDS, kind="verify", parts=[VERIFY_PART], sample=sample)
