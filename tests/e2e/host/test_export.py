"""Exports: what is in the vault is whole, what fails says why, and nothing of a job stays behind."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.host.a_transfer import PREFIX, TOKEN, TransferHost
from tests.e2e.host.loop_filesystem import SIZE_BYTES, LoopFilesystem

pytestmark = pytest.mark.sampled

OTHER_TOKEN = "f" * 16
OBJECT, LISTING = f"test-00.{TOKEN}.asb.gz", f"test-00.{TOKEN}.files.json"
PARTS = [("test-00", "test"), ("raw-00", "raw")]


@pytest.fixture
def two(transfer: TransferHost) -> TransferHost:
    """A host whose server has two namespaces."""
    namespaces = transfer.host.server.namespaces
    namespaces["raw"] = namespaces["test"]
    return transfer


def two_parts(transfer: TransferHost) -> list[dict[str, object]]:
    return [transfer.part(name, namespace=namespace) for name, namespace in PARTS]


# -- what an export is -------------------------------------------------------------------------------------------------


def test_a_namespace_becomes_one_object_with_the_tools_own_counts(transfer: TransferHost) -> None:
    began = transfer.begin()
    assert began["state"] in ("running", "done")
    assert began["tool"] == {"name": "asbackup", "version": "4.5.8"}
    status = transfer.end()
    assert (status["state"], status["token"], status["detail"]) == ("done", TOKEN, ""), transfer.log()
    [part] = status["parts"]
    assert (part["state"], part["percent"], part["files"], part["error"]) == ("done", 100, 1, None)
    assert {**part["summary"], "bytes": 0} == {"records": 1000, "sindexes": 2, "udfs": 1, "bytes": 0}
    assert transfer.objects == [OBJECT, LISTING]
    assert len(transfer.lines(OBJECT)) == 1003
    assert part["listing"] == transfer.described(LISTING)
    [file] = transfer.listing(LISTING)
    assert file == {**transfer.described(OBJECT), "compressed": "gzip"}
    assert part["bytes"] == file["size"]


def test_the_tool_runs_in_utc_and_behind_everybody_else(transfer: TransferHost) -> None:
    transfer.do(
        modified_after="2026-01-01_00:00:00", modified_before="2026-01-02_00:00:00", sets=["a", "b"],
        records_per_second=100, bandwidth_mibps=7, prefer_rack=2, nice=9,
        parts=[transfer.part(partitions="0-2048", metadata=False)],
    )  # fmt: skip
    [call] = transfer.calls_of("asbackup", zone="UTC")
    assert call["nice"] == 9
    given = " ".join(call["arguments"])
    for option in ("-n test", "-X 0-2048", "-s a,b", "-a 2026-01-01_00:00:00", "-b 2026-01-02_00:00:00", "-L 100",
                   "-N 7", "--prefer-racks 2", "--no-indexes --no-udfs", "-o -", "-w 2"):  # fmt: skip
        assert option in given, option
    [upload] = [call for call in transfer.calls_of("aws") if call["arguments"][3:4] == [transfer.uri(OBJECT)]][:1]
    assert upload["arguments"][4:] == ["--only-show-errors", "--region", "eu-central-1", "--expected-size", "1000"]


@pytest.mark.parametrize(("compression", "ending"), [("none", ".asb"), ("zstd", ".asb.zst")])
def test_other_compressions_have_other_endings(transfer: TransferHost, compression: str, ending: str) -> None:
    assert transfer.do(compression=compression)["state"] == "done"
    assert transfer.objects == [f"test-00.{TOKEN}{ending}", LISTING]
    assert transfer.listing(LISTING)[0]["compressed"] == compression


def test_parts_go_side_by_side_and_one_that_fails_leaves_the_others_alone(two: TransferHost) -> None:
    two.fakes(asbackup__raw="fail", asbackup__test="slow")
    status = two.do(parts=two_parts(two), at_once=2)
    assert status["state"] == "failed"
    assert [part["state"] for part in status["parts"]] == ["done", "failed"]
    assert status["parts"][1]["error"]["code"] == "tool_failed"
    assert "it went wrong" in status["parts"][1]["error"]["detail"]
    assert two.objects == [OBJECT, LISTING]


def test_while_it_runs_its_status_says_how_far_it_is(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin()
    transfer.wait_for("half.test")
    until = time.monotonic() + 10
    while (status := transfer.status())["parts"][0]["percent"] == 0:
        assert time.monotonic() < until
    assert status["state"] == "running"
    [part] = status["parts"]
    assert (part["state"], part["percent"], part["rate"], part["remaining_s"]) == ("running", 50, 178846, 100)
    assert transfer.cancel()["state"] == "cancelled"


def test_a_directory_is_exported_file_by_file_and_is_gone_afterwards(transfer: TransferHost) -> None:
    status = transfer.do(mode="directory")
    assert status["state"] == "done", transfer.log()
    names = [f"test-00.{TOKEN}.0000{number}.asb.gz" for number in (1, 2)]
    assert transfer.objects == [*names, LISTING]
    assert [file["key"] for file in transfer.listing(LISTING)] == [f"{PREFIX}/{name}" for name in names]
    assert sum(len(transfer.lines(name)) for name in names) == 1003
    assert status["parts"][0]["files"] == 2
    assert not list(transfer.spool.iterdir())


def test_an_upload_that_fails_is_tried_again_and_the_others_are_not_repeated(transfer: TransferHost) -> None:
    second = f"test-00.{TOKEN}.00002.asb.gz"
    transfer.fakes(**{f"aws {second}": ["fail", "succeed"]})
    assert transfer.do(mode="directory")["state"] == "done", transfer.log()
    uploads = [call["arguments"][3] for call in transfer.calls_of("aws", whole=True)]
    assert sorted(uploads) == sorted({*uploads})
    assert transfer.uri(second) in uploads


def test_an_estimate_writes_nothing_anywhere(transfer: TransferHost) -> None:
    status = transfer.do(kind="estimate")
    assert (status["state"], status["kind"]) == ("done", "estimate"), transfer.log()
    assert status["parts"][0]["estimate"] == {"record_bytes": 711}
    assert status["parts"][0]["summary"] is None
    assert list(transfer.vault.rglob("*")) == []


# -- what fails --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize(
    ("how", "code"),
    [("fail", "tool_failed"), ("kill", "tool_killed"), ("no_space", "disk_full"), ("silent", "summary_missing")],
)
def test_no_object_appears_where_the_tool_was_not_done(transfer: TransferHost, how: str, code: str, mode: str) -> None:
    transfer.fakes(asbackup=how)
    assert transfer.error(mode=mode) == code
    assert transfer.objects == []
    assert not transfer.spool.exists() or not list(transfer.spool.iterdir())


def test_an_upload_is_interrupted_so_that_it_takes_back_what_it_has_sent(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin()
    transfer.wait_for("half.test")
    transfer.wait_for(f"uploading.{OBJECT}")
    transfer.cancel()
    assert transfer.calls_of("aws", interrupted=signal.SIGINT)
    assert transfer.objects == []


@pytest.mark.parametrize("how", ["fail", "kill", "forbid"])
@pytest.mark.parametrize("name", [OBJECT, LISTING])
def test_an_upload_that_fails_leaves_a_part_that_is_not_done(transfer: TransferHost, name: str, how: str) -> None:
    transfer.fakes(records=100000, **{f"aws {name}": how})
    assert transfer.error() == "upload_failed"
    assert name not in transfer.objects


def test_a_disk_that_fills_up_is_told_and_emptied(transfer: TransferHost, filesystem: LoopFilesystem) -> None:
    transfer.spool.parent.mkdir(parents=True)
    transfer.spool.symlink_to(filesystem.mount_point)
    transfer.fakes(records=SIZE_BYTES // 8)
    before = set(filesystem.mount_point.iterdir())
    assert transfer.error(mode="directory") == "disk_full"
    assert transfer.objects == []
    assert set(filesystem.mount_point.iterdir()) == before
    content = b"record of some length\n" * (SIZE_BYTES // 20)
    assert (
        transfer.error(kind="import", run="r2", mode="directory", parts=[transfer.put_export([content])]) == "disk_full"
    )
    assert set(filesystem.mount_point.iterdir()) == before


def test_no_estimate_is_no_success(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="mute")
    assert transfer.error(kind="estimate") == "summary_missing"


# -- begun once --------------------------------------------------------------------------------------------------------


def test_the_same_order_again_only_tells_the_status(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="slow")
    transfer.begin()
    assert transfer.begin()["state"] == "running"
    transfer.end()
    assert transfer.begin()["state"] == "done"
    assert len(transfer.calls_of("asbackup", zone="UTC")) == 1


def test_of_equal_orders_sent_at_once_one_begins_and_all_are_told(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="slow")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: transfer.call(), range(4)))
    assert [(code, answer["state"]) for code, answer in answers] == [(0, "running")] * 4
    assert transfer.end()["state"] == "done"
    assert len(transfer.calls_of("asbackup", zone="UTC")) == 1


def test_another_order_is_held_off_while_a_job_lives_and_begins_anew_afterwards(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin()
    for changes in ({"token": OTHER_TOKEN}, {"run": "r2"}):
        code, result = transfer.call(**changes)
        assert (code, result["error"]["code"]) == (4, "job_running")
    transfer.fakes()
    assert transfer.status()["state"] == "running"
    transfer.kill_job()
    assert transfer.status()["state"] == "dead"
    assert transfer.begin()["state"] == "dead"
    assert transfer.begin(token=OTHER_TOKEN)["token"] == OTHER_TOKEN
    assert transfer.end()["state"] == "done"
    assert transfer.objects == [f"test-00.{OTHER_TOKEN}.asb.gz", f"test-00.{OTHER_TOKEN}.files.json"]


# -- ended early -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize("how", ["hang", "fork and hang"])
def test_cancelling_ends_every_process_and_leaves_no_object(transfer: TransferHost, how: str, mode: str) -> None:
    transfer.fakes(asbackup=how)
    transfer.begin(mode=mode)
    transfer.wait_for("half.test")
    status = transfer.cancel()
    assert status["state"] == "cancelled", transfer.log()
    assert status["parts"][0]["error"]["code"] == "cancelled"
    assert transfer.processes() == []
    assert transfer.objects == []
    assert not transfer.spool.exists() or not list(transfer.spool.iterdir())
    assert transfer.refusal_code(token=OTHER_TOKEN) == "cancelled"


def test_a_run_that_was_cancelled_before_it_began_never_begins(transfer: TransferHost) -> None:
    assert transfer.cancel()["state"] == "none"
    assert transfer.refusal() == (3, "cancelled")
    assert transfer.status()["state"] == "none"
    assert transfer.begin(run="r2")["state"] in ("running", "done")
    transfer.end("r2")


def test_a_job_that_stands_still_is_killed_by_cancelling(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin()
    transfer.wait_for("half.test")
    os.kill(transfer.progress()["pid"], signal.SIGSTOP)
    assert transfer.cancel()["state"] == "cancelled"
    assert transfer.processes() == []


def test_a_job_that_nobody_asks_for_ends_itself(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin(silence_s=6.0)
    for _ in range(4):
        time.sleep(2.0)
        assert transfer.status()["state"] == "running", "asking keeps it alive"
    status = transfer.end()
    assert status["state"] == "failed"
    assert status["parts"][0]["error"]["code"] == "nobody_asked"
    assert transfer.objects == []


def test_under_a_guard_it_waits_for_its_time_and_is_over_by_the_end_of_it(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    now = time.time()
    transfer.begin(begin_at=now + 6.0, end_at=now + 8.0)
    assert transfer.status()["parts"][0]["state"] == "waiting"
    status = transfer.end()
    assert status["parts"][0]["error"]["code"] == "late"
    assert now + 8.0 <= status["ended_at"] < now + 16.0
    assert transfer.objects == []


def test_deadlines_are_true_time_whatever_the_hosts_clock_says(transfer: TransferHost) -> None:
    transfer.host.set_clock(offset_s=3600.0)
    transfer.fakes(asbackup="hang")
    transfer.begin(end_at=time.time() - 3600 + 6.0)
    assert transfer.status()["state"] == "running"
    assert transfer.end()["parts"][0]["error"]["code"] == "late"


@pytest.mark.parametrize("mode", ["stream", "directory"])
@pytest.mark.parametrize("how", ["hang", "fork and hang"])
def test_a_killed_job_leaves_no_process_and_no_object_and_is_called_dead(
    transfer: TransferHost, how: str, mode: str
) -> None:
    transfer.fakes(asbackup=how)
    transfer.begin(mode=mode)
    transfer.wait_for("half.test")
    transfer.kill_job()
    assert transfer.status()["state"] == "dead"
    assert transfer.objects == []


@pytest.mark.parametrize("attempt", range(3))
def test_a_killed_worker_never_passes_on_what_looks_like_an_end(transfer: TransferHost, attempt: int) -> None:
    del attempt
    transfer.fakes(asbackup="hang")
    transfer.begin()
    transfer.wait_for("half.test")
    time.sleep(0.3)
    os.kill(transfer.worker_pid(), signal.SIGKILL)
    status = transfer.end()
    assert status["parts"][0]["error"]["code"] == "tool_killed"
    assert transfer.objects == []


def test_what_a_killed_job_left_on_the_disk_goes_with_the_next_one(transfer: TransferHost) -> None:
    transfer.fakes(asbackup="hang")
    transfer.begin(mode="directory")
    transfer.wait_for("half.test")
    transfer.kill_job()
    assert (transfer.spool / "r1").exists()
    (transfer.spool / "somebody else's").mkdir()
    transfer.fakes()
    assert transfer.do(run="r2")["state"] == "done"
    assert [path.name for path in transfer.spool.iterdir()] == ["somebody else's"]


# -- keys --------------------------------------------------------------------------------------------------------------


def a_key(transfer: TransferHost, mode: int = 0o600) -> str:
    path = Path(transfer.host.root / "etc/key.pem")
    path.parent.mkdir(exist_ok=True)
    path.write_text("-----BEGIN RSA PRIVATE KEY-----\nMTIzNDU2Nzg5\n-----END RSA PRIVATE KEY-----\n")
    path.chmod(mode)
    return "file:/etc/key.pem"


def test_an_encrypted_export_is_compressed_and_encrypted_by_the_tool_alone(transfer: TransferHost) -> None:
    encryption = {"mode": "aes256", "key": a_key(transfer), "check": None}
    status = transfer.do(encryption=encryption, compression="zstd")
    assert status["state"] == "done", transfer.log()
    [call] = transfer.calls_of("asbackup", zone="UTC")
    given = " ".join(call["arguments"])
    assert f"-y aes256 --encryption-key-file {transfer.host.root}/etc/key.pem --compress zstd" in given
    assert len(transfer.lines(f"test-00.{TOKEN}.asb.zst")) == 1003
    assert transfer.do(run="r2", encryption={**encryption, "check": status["key_check"]}, compression="none")
    assert transfer.refusal_code(run="r3", encryption={**encryption, "check": "0" * 16}, compression="none") == (
        "wrong_key"
    )


def test_a_secret_key_reaches_the_tool_and_nothing_that_others_can_read(transfer: TransferHost) -> None:
    transfer.fakes(secrets={"exports/key": "MTIzNDU2Nzg5"})
    encryption = {"mode": "aes128", "key": "secret:exports/key", "check": None}
    status = transfer.do(encryption=encryption, compression="none")
    assert status["state"] == "done", transfer.log()
    assert transfer.calls_of("asbackup", zone="UTC")[0]["key"] == "MTIzNDU2Nzg5"
    arguments = [word for call in transfer.calls for word in call["arguments"]]
    assert not any("MTIzNDU2Nzg5" in word for word in arguments)
    assert "MTIzNDU2Nzg5" not in transfer.log()
    from_file = {"mode": "aes128", "key": a_key(transfer), "check": status["key_check"]}
    assert transfer.do(run="r2", encryption=from_file, compression="none")["state"] == "done"


@pytest.mark.parametrize("key", ["file:/etc/none.pem", "secret:none"])
def test_a_key_that_is_not_there_is_told_before_anything_runs(transfer: TransferHost, key: str) -> None:
    refusal = transfer.refusal(encryption={"mode": "aes128", "key": key, "check": None}, compression="none")
    assert refusal == (3, "key_unavailable")


def test_a_key_that_others_can_read_is_none(transfer: TransferHost) -> None:
    encryption = {"mode": "aes128", "key": a_key(transfer, 0o640), "check": None}
    assert transfer.refusal(encryption=encryption, compression="none") == (3, "key_unavailable")


# -- preflight ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tool", "code"), [("asbackup", "tool_missing"), ("aws", "program_missing")])
def test_a_host_without_the_programs_says_which(transfer: TransferHost, tool: str, code: str) -> None:
    transfer.without(tool)
    assert transfer.refusal() == (3, code)


def test_a_host_without_credentials_says_so(transfer: TransferHost) -> None:
    transfer.fakes(no_credentials=True)
    assert transfer.refusal() == (3, "credentials_missing")


def test_a_vault_that_takes_nothing_is_told_before_anything_runs(transfer: TransferHost) -> None:
    transfer.fakes(**{f"aws begun.{TOKEN}.json": "forbid"})
    assert transfer.refusal() == (5, "vault_unreachable")
    assert transfer.status()["state"] == "none"


def test_a_disk_that_is_too_small_is_told_before_anything_runs(transfer: TransferHost) -> None:
    assert transfer.refusal(mode="directory", needed_mib=1 << 40) == (3, "disk_too_small")


def test_a_namespace_that_the_server_does_not_have_is_told(transfer: TransferHost) -> None:
    assert transfer.refusal(parts=[transfer.part(namespace="none")]) == (3, "namespace_unknown")


def test_a_secured_server_needs_credentials_that_only_root_can_read(transfer: TransferHost) -> None:
    transfer.host.conf.write_text(transfer.host.conf.read_text() + "security {\n}\n")
    assert transfer.refusal() == (3, "security_without_credentials")
    tools = transfer.host.root / "etc/aerospike/astools.conf"
    tools.parent.mkdir(parents=True)
    tools.write_text("[cluster]\n")
    tools.chmod(0o644)
    assert transfer.refusal() == (3, "security_without_credentials")
    tools.chmod(0o600)
    assert transfer.do()["state"] == "done"


def test_an_order_for_another_run_or_verb_is_refused(transfer: TransferHost) -> None:
    url = transfer.store.order(transfer.order(run="r2"))
    code, result = transfer.host.call("export", Run="r1", Spec=url)
    assert (code, result["error"]["code"]) == (3, "spec_invalid")
    url = transfer.store.order(transfer.order())
    code, result = transfer.host.call("import", Run="r1", Spec=url)
    assert (code, result["error"]["code"]) == (3, "spec_invalid")


def test_a_host_says_what_it_has(transfer: TransferHost) -> None:
    status = transfer.status("none")
    facts = status.pop("facts")
    assert status["state"] == "none"
    assert facts["tools"] == {"asbackup": "4.5.8", "asrestore": "4.5.8"}
    assert (facts["validate"], facts["programs"]["aws"], facts["programs"]["gzip"]) == (False, True, True)
    assert facts["cpus"] >= 1
    assert facts["free_mib"] > 0
    transfer.without("asrestore")
    assert transfer.status("none")["facts"]["tools"]["asrestore"] is None
