"""Imports and verifications: no cut-off stream passes for a whole one, and what was done is told by file."""

import base64
import json
import os
import signal
from typing import Any

import pytest

from tests.e2e.host.a_transfer import PREFIX, TransferHost

pytestmark = pytest.mark.sampled

RECORDS = 2000
ALL = {"records": 2 * RECORDS, "inserted": 2 * RECORDS}
NOTHING = {"existed": 0, "fresher": 0, "expired": 0, "skipped": 0, "ignored": 0}
FIRST, SECOND = "test-00.00001.asb", "test-00.00002.asb"
HEADER = b"Version 3.1\n# namespace test\n# first-file\n"
INDEX = b"* i test demo idx N 1 bin N\n"
UDF = b"* u L m.lua 4 abcd\n"


def content(number: int, *, head: str = "") -> bytes:
    lines = [f"record {number}-{index}" for index in range(RECORDS)]
    return (head + "\n".join(lines) + "\n").encode()


def two_files(transfer: TransferHost, compressed: str = "gzip") -> dict[str, Any]:
    return transfer.put_export([content(1, head="index a\nudf m\n"), content(2)], compressed)


def whole_streams(transfer: TransferHost) -> list[int]:
    """What asrestore took for whole, by its number of records."""
    return [call["records"] for call in transfer.calls_of("asrestore", whole=True)]


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize("compressed", ["gzip", "zstd", "none"])
def test_every_file_is_restored_and_counted(transfer: TransferHost, compressed: str, mode: str) -> None:
    status = transfer.do(kind="import", mode=mode, parts=[two_files(transfer, compressed)])
    assert status["state"] == "done", transfer.log()
    assert status["tool"] == {"name": "asrestore", "version": "4.5.8"}
    [part] = status["parts"]
    assert part["counters"] == {**ALL, **NOTHING}
    assert (part["files"], part["files_done"], part["begun"], part["percent"]) == (2, 2, False, 100)
    assert (part["sindexes"], part["udfs"], part["error"]) == (1, 1, None)
    assert not transfer.spool.exists() or not list(transfer.spool.iterdir())


def test_the_tool_is_told_how_to_write(transfer: TransferHost) -> None:
    part = {**two_files(transfer), "metadata": False}
    transfer.do(kind="import", parts=[part], write="no-generation", extra_ttl_s=60, records_per_second=500, sets=["a"])
    given = " ".join(transfer.calls_of("asrestore", began=True)[0]["arguments"])
    for option in ("-n test,test", "-g", "-l 60", "-N 100000,500", "-s a", "--no-indexes --no-udfs", "-i -", "-t 2"):
        assert option in given, option
    assert " -L" not in given
    assert transfer.calls_of("asrestore", whole=True)[0]["zone"] == "UTC"


def test_what_was_done_before_is_skipped(transfer: TransferHost) -> None:
    part = {**two_files(transfer), "skip": 1}
    status = transfer.do(kind="import", parts=[part])
    assert status["state"] == "done"
    assert status["parts"][0]["files_done"] == 2
    assert status["parts"][0]["counters"]["records"] == RECORDS
    assert whole_streams(transfer) == [RECORDS]


# -- what is not whole -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize("compressed", ["gzip", "none"])
@pytest.mark.parametrize(
    ("how", "code"),
    [("cut", "checksum_differs"), ("damage", "checksum_differs"), ("fail", "download_failed"),
     ("kill", "download_failed")],
)  # fmt: skip
def test_a_stream_that_is_not_what_was_listed_never_ends_for_asrestore(
    transfer: TransferHost, how: str, code: str, compressed: str, mode: str
) -> None:
    transfer.fakes(**{f"aws {SECOND}": how})
    status = transfer.do(kind="import", mode=mode, parallel=1, parts=[two_files(transfer, compressed)])
    [part] = status["parts"]
    assert (status["state"], part["state"]) == ("failed", "failed")
    assert part["error"]["code"] in (code, "tool_failed" if how == "damage" and compressed == "gzip" else code)
    assert whole_streams(transfer) == [RECORDS]
    assert part["files_done"] == 1
    assert part["begun"] is (mode == "stream")
    assert part["counters"]["inserted"] == RECORDS


@pytest.mark.parametrize("compressed", ["gzip", "none"])
def test_a_killed_worker_never_passes_on_what_looks_like_an_end(transfer: TransferHost, compressed: str) -> None:
    transfer.fakes(**{f"aws {SECOND}": "hang"})
    transfer.begin(kind="import", parts=[two_files(transfer, compressed)])
    transfer.wait_for(f"sending.{SECOND}")
    os.kill(transfer.worker_pid(), signal.SIGKILL)
    status = transfer.end()
    assert status["parts"][0]["error"]["code"] == "tool_killed"
    assert (status["parts"][0]["files_done"], status["parts"][0]["begun"]) == (1, True)
    assert whole_streams(transfer) == [RECORDS]


def test_a_killed_job_leaves_no_process_and_says_where_it_was(transfer: TransferHost) -> None:
    transfer.fakes(**{f"aws {SECOND}": "hang"})
    transfer.begin(kind="import", parts=[two_files(transfer)])
    transfer.wait_for(f"sending.{SECOND}")
    transfer.kill_job()
    status = transfer.status()
    assert status["state"] == "dead"
    assert (status["parts"][0]["files_done"], status["parts"][0]["begun"]) == (1, True)
    assert whole_streams(transfer) == [RECORDS]


def test_a_cancelled_import_ends_every_process(transfer: TransferHost) -> None:
    transfer.fakes(**{f"aws {SECOND}": "hang"})
    transfer.begin(kind="import", parts=[two_files(transfer)])
    transfer.wait_for(f"sending.{SECOND}")
    status = transfer.cancel()
    assert (status["state"], status["parts"][0]["error"]["code"]) == ("cancelled", "cancelled")
    assert transfer.processes() == []
    assert whole_streams(transfer) == [RECORDS]


# -- what the tool makes of it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize(
    ("how", "code"),
    [("fail", "tool_failed"), ("kill", "tool_killed"), ("silent", "summary_missing"), ("ignore", "records_ignored")],
)
def test_an_import_is_judged_by_what_the_tool_counted(transfer: TransferHost, how: str, code: str, mode: str) -> None:
    transfer.fakes(asrestore=how)
    assert transfer.error(kind="import", mode=mode, parts=[two_files(transfer)]) == code
    assert transfer.progress()["parts"][0]["files_done"] == 0


@pytest.mark.parametrize("changed", ["listing", "missing", "skip"])
def test_a_listing_that_is_not_the_one_asked_for_is_refused(transfer: TransferHost, changed: str) -> None:
    part = two_files(transfer)
    listing = transfer.vault / PREFIX / "test-00.files.json"
    if changed == "listing":
        listing.write_text(json.dumps(json.loads(listing.read_text())[:1]))
    elif changed == "missing":
        listing.unlink()
    else:
        part["skip"] = 3
    expected = "download_failed" if changed == "missing" else "listing_unreadable"
    assert transfer.error(kind="import", parts=[part]) == expected
    assert whole_streams(transfer) == []


def test_a_server_that_would_write_nothing_is_told_before_anything_runs(transfer: TransferHost) -> None:
    part = two_files(transfer)
    namespace = transfer.host.server.namespaces["test"]
    namespace.settings["reject-non-xdr-writes"] = "true"
    assert transfer.refusal(kind="import", parts=[part]) == (3, "namespace_guarded")
    namespace.settings["reject-non-xdr-writes"] = "false"
    transfer.host.server.answers["namespace/test"] = "objects=10;stop_writes=true"
    assert transfer.refusal(kind="import", parts=[part]) == (3, "namespace_full")
    assert transfer.refusal(kind="import", parts=[{**part, "target": "none"}]) == (3, "namespace_unknown")
    transfer.without("asrestore")
    assert transfer.refusal(kind="import", parts=[part]) == (3, "tool_missing")


# -- verification ------------------------------------------------------------------------------------------------------


def an_export(records: int = 3, value: int = 1) -> bytes:
    record = b"+ k I 1\n+ n test\n+ d %s\n+ s demo\n+ g 1\n+ t 0\n+ b 1\n- I i %d\n"
    digests = (base64.b64encode(number.to_bytes(20, "little")) for number in range(records))
    return HEADER + INDEX + UDF + b"".join(record % (digest, value) for digest in digests)


def test_an_export_is_verified_by_the_tool_where_it_can(transfer: TransferHost) -> None:
    transfer.fakes(validate=True)
    status = transfer.do(kind="verify", parts=[two_files(transfer)])
    assert status["state"] == "done", transfer.log()
    [part] = status["parts"]
    assert (part["method"], part["counters"], part["files_done"]) == ("tool", {"records": 2 * RECORDS}, 2)
    assert all("--validate" in call["arguments"] for call in transfer.calls_of("asrestore", began=True))


@pytest.mark.parametrize("without", ["", "asrestore"])
def test_an_export_is_verified_by_parsing_it_where_the_tool_cannot(transfer: TransferHost, without: str) -> None:
    if without:
        transfer.without(without)
    status = transfer.do(kind="verify", parts=[transfer.put_export([an_export(), an_export(5)])])
    assert status["state"] == "done", status["parts"]
    [part] = status["parts"]
    assert (part["method"], part["counters"], part["sindexes"], part["udfs"]) == ("parse", {"records": 8}, 2, 2)


def test_an_export_that_cannot_be_read_is_not_verified(transfer: TransferHost) -> None:
    assert transfer.error(kind="verify", parts=[transfer.put_export([an_export()[:-4]])]) == "tool_failed"


@pytest.mark.parametrize(("how", "code"), [("cut", "checksum_differs"), ("fail", "download_failed")])
def test_a_file_that_is_not_what_was_listed_is_not_verified(transfer: TransferHost, how: str, code: str) -> None:
    part = transfer.put_export([an_export(2000), an_export(2000)], "none")
    transfer.fakes(**{f"aws {SECOND}": how})
    assert transfer.error(kind="verify", parts=[part]) == code
    assert transfer.progress()["parts"][0]["files_done"] == 1


def test_an_encrypted_export_needs_a_tool_that_can_validate(transfer: TransferHost) -> None:
    transfer.fakes(secrets={"k": "MTIzNDU2Nzg5"})
    encryption = {"mode": "aes128", "key": "secret:k", "check": None}
    part = two_files(transfer, "none")
    order = {"kind": "verify", "parts": [part], "encryption": encryption, "compression": "none"}
    assert transfer.refusal(**order) == (3, "tool_missing")
    transfer.fakes(secrets={"k": "MTIzNDU2Nzg5"}, validate=True)
    assert transfer.do(**order)["state"] == "done"
    assert transfer.calls_of("asrestore", began=True)[0]["key"] == "MTIzNDU2Nzg5"


@pytest.mark.parametrize(
    ("now", "sample"),
    [
        (an_export(50), {"records": 3, "missing": 0, "added": 0, "changed": 0}),
        (an_export(50, value=2), {"records": 3, "missing": 0, "added": 0, "changed": 3}),
        (an_export(42), {"records": 3, "missing": 1, "added": 0, "changed": 0}),
    ],
)
def test_a_sample_is_compared_with_what_the_server_holds_now(
    transfer: TransferHost, now: bytes, sample: dict[str, int]
) -> None:
    (transfer.host.root / "now").write_bytes(now)
    transfer.fakes(text="now", validate=True)
    parts = [transfer.put_export([an_export(50)])]
    status = transfer.do(kind="verify", parts=parts, sample={"partitions": [40, 41, 42]})
    [part] = status["parts"]
    assert part["error"] is None, part
    assert (part["method"], part["sample"], part["counters"]) == ("parse", sample, {"records": 50})
    assert "-X 40,41,42" in " ".join(transfer.calls_of("asbackup", zone="UTC")[0]["arguments"])
