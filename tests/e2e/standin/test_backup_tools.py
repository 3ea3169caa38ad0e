"""asbackup and asrestore against three stand-ins: what goes out comes back, and what fails says so with 1."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aerospike
import pytest
from aerokeep_node.formats.asb import Header, Index, Record, Udf, read_export
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.standin.standin_cluster import ROOT, StandinNode, a_cluster, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.usefixtures("client")
COUNT = 400
KEYED = {"key": aerospike.POLICY_KEY_SEND}
SUMMARY = re.compile(
    r"Backed up (\d+) record\(s\), (\d+) secondary index\(es\), (\d+) UDF file\(s\), (\d+) byte\(s\) in total"
)
OUTCOME = re.compile(
    r"Expired (\d+) : skipped (\d+) : err_ignored (\d+) : inserted (\d+): "
    r"failed (\d+) \(existed (\d+) , fresher (\d+)\)"
)
UDF = b"function one() return 1 end\n"


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[StandinNode]]:
    path = Path(tempfile.mkdtemp(prefix="aerokeep-standin-"))
    started = a_cluster(path, size=3, namespaces=("test", "copy"), extra="nsup-period 3600")
    yield started
    for node in started:
        node.kill()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def client(nodes: list[StandinNode]) -> Iterator[aerospike.Client]:
    made = aerospike.client({"hosts": [(nodes[0].ip, 3000)]}).connect()
    for number in range(COUNT):
        policy = {"ttl": a_ttl(number), **(KEYED if number % 2 else {})}
        made.put(a_key(number), some_bins(number), policy=policy)
    made.put(a_key(7), {"n": 7}, policy=KEYED)
    for index in ("bin=n;type=numeric;indexname=by_n", "bin=m;type=string;indextype=mapkeys;indexname=by_m"):
        assert nodes[0].info(f"sindex-create:namespace=test;set=one;{index}") == "ok"
    assert nodes[0].info(f"udf-put:filename=one.lua;content={'ZnVuY3Rpb24gb25lKCkgcmV0dXJuIDEgZW5kCg=='};") == ""
    yield made
    made.close()


@pytest.fixture
def copy(nodes: list[StandinNode], client: aerospike.Client) -> None:
    """The other namespace is empty."""
    nodes[0].info("truncate-namespace:namespace=copy")
    eventually(lambda: not client.query("copy").results({"total_timeout": 0}), what="empty")


def a_key(number: int, namespace: str = "test") -> tuple[str, str | None, int | str]:
    return (namespace, ("one", "two", None)[number % 3], number if number % 5 else f"key-{number}")


def a_ttl(number: int) -> int:
    return 86_400 if number % 4 == 0 else -1


def some_bins(number: int) -> dict[str, Any]:
    return {
        "n": number - 200,
        "f": number / 7,
        "s": f"text {number}\n\\ä",
        "b": bytes([number % 256, 10, 32]),
        "l": [number, "a", b"\n", [1.5, None, True]],
        "m": {"k": number, "v": [b"x"], 3: "three"},
        "flag": number % 2 == 0,
    }


def run(tool: str, *options: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> tuple[int, bytes, str]:
    argv = [sys.executable, "-m", f"sandbox.tools.{tool}", *options]
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False, env=environment(env))
    return done.returncode, done.stdout, done.stderr.decode()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'node'}", **(more or {})}


def outcome(words: str) -> dict[str, int]:
    names = ("expired", "skipped", "ignored", "inserted", "failed", "existed", "fresher")
    found = OUTCOME.findall(words)
    return dict(zip(names, map(int, found[-1]), strict=True))


@pytest.fixture(scope="module")
def export(nodes: list[StandinNode], client: aerospike.Client) -> bytes:
    assert client.is_connected()
    code, content, words = run("asbackup", "-h", nodes[0].ip, "-n", "test", "-o", "-")
    assert code == 0, words
    return content


def test_everything_of_a_namespace_comes_back_in_another(
    nodes: list[StandinNode], client: aerospike.Client, copy: None, tmp_path: Path
) -> None:
    del copy
    machine = str(tmp_path / "machine")
    code, content, words = run("asbackup", "-h", f"{nodes[1].ip}:3000", "-n", "test", "-o", "-", "-m", machine)
    assert code == 0, words
    found = SUMMARY.search(words)
    assert found is not None
    assert found.groups() == (str(COUNT), "2", "1", str(len(content)))
    each = len(content) // COUNT
    assert Path(machine).read_text().splitlines()[-1] == f"SUMMARY:{COUNT}:2:1:{len(content)}:{each}"
    code, _, words = run("asrestore", "-h", nodes[0].ip, "-n", "test,copy", "-i", "-", "-m", machine, stdin=content)
    assert code == 0, words
    assert outcome(words)["inserted"] == COUNT
    assert Path(machine).read_text().splitlines()[-1] == f"SUMMARY:1:2:{COUNT}:0:0:0:{COUNT} :0:0"
    for number in range(COUNT):
        _, meta, bins = client.get(a_key(number, "copy"))
        assert bins == client.get(a_key(number))[2]
        ttl = a_ttl(number) if number != 7 else -1
        assert abs(meta["ttl"] - ttl) < 60 if ttl > 0 else meta["ttl"] == aerospike.TTL_NEVER_EXPIRE & 0xFFFFFFFF
    keys = {key for (_, _, key, _), _, _ in client.query("copy").results({"total_timeout": 0})}
    assert keys == {None, *(a_key(number)[2] for number in range(COUNT) if number % 2)}
    assert "ns=copy:indexname=by_m:set=one:bin=m:type=string:indextype=mapkeys" in nodes[0].info("sindex-list:")
    assert client.udf_get("one.lua").encode() == UDF


def test_the_export_is_the_real_format(export: bytes) -> None:
    found = list(read_export(io.BytesIO(export)))
    assert found[0] == Header("test", first_file=True)
    assert sorted(entry for entry in found if isinstance(entry, Index)) == [
        Index("test", "one", "by_m", "K", "m", "S", ""),
        Index("test", "one", "by_n", "N", "n", "N", ""),
    ]
    assert [entry for entry in found if isinstance(entry, Udf)] == [Udf("one.lua", UDF)]
    records = [entry for entry in found if isinstance(entry, Record)]
    assert len({record.digest for record in records}) == COUNT
    assert [type(entry) for entry in found[1:4]] == [Index, Index, Udf]


@pytest.mark.parametrize("slices", [("0-1500", "1500-2596"), ("0-1,1-4095",)])
def test_slices_of_partitions_are_whole_and_do_not_overlap(nodes: list[StandinNode], slices: tuple[str, ...]) -> None:
    digests = []
    for part in slices:
        code, content, words = run(
            "asbackup", "-h", nodes[0].ip, "-n", "test", "-o", "-", "-X", part, "-w", "2", "-I", "-u"
        )
        assert code == 0, words
        found = list(read_export(io.BytesIO(content)))
        digests += [entry.digest for entry in found if isinstance(entry, Record)]
        assert not [entry for entry in found if isinstance(entry, Index | Udf)]
    assert len(digests) == len(set(digests)) == COUNT


def test_a_directory_of_compressed_and_encrypted_files_comes_back_with_its_key_only(
    nodes: list[StandinNode], copy: None, tmp_path: Path
) -> None:
    del copy
    for name in ("right", "wrong"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        (tmp_path / name).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    coded = ("--compress", "zstd", "--encrypt", "aes256", "--encryption-key-file")
    folder = str(tmp_path / "files")
    code, _, words = run(
        "asbackup", "-h", nodes[0].ip, "-n", "test", "-d", folder, "-w", "3", *coded, str(tmp_path / "right")
    )
    assert code == 0, words
    files = sorted(path.name for path in Path(folder).iterdir())
    assert files == ["test_00000.asb", "test_00001.asb", "test_00002.asb"]
    assert SUMMARY.findall(words)[0][3] == str(sum(path.stat().st_size for path in Path(folder).iterdir()))
    assert run("asbackup", "-h", nodes[0].ip, "-n", "test", "-d", folder)[0] == 1
    target = ("-h", nodes[0].ip, "-n", "test,copy", "-d", folder)
    code, _, words = run("asrestore", *target, *coded, str(tmp_path / "wrong"))
    assert (code, outcome(words)["inserted"]) == (1, 0)
    code, _, words = run("asrestore", *target, *coded, str(tmp_path / "right"))
    assert (code, outcome(words)["inserted"]) == (0, COUNT), words


def test_what_is_there_decides_by_the_mode_of_writing(
    nodes: list[StandinNode], client: aerospike.Client, copy: None, export: bytes
) -> None:
    del copy
    target = ("asrestore", "-h", nodes[0].ip, "-n", "test,copy", "-i", "-")
    for number in range(10):
        client.put(a_key(number, "copy"), {"other": 1})
    client.put(a_key(0, "copy"), {"other": 2})
    code, _, words = run(*target, "--unique", stdin=export)
    assert (code, outcome(words)["inserted"], outcome(words)["existed"]) == (0, COUNT - 10, 10)
    assert client.get(a_key(3, "copy"))[2] == {"other": 1}
    code, _, words = run(*target, stdin=export)  # record 7 is of generation 2
    assert (code, outcome(words)["inserted"], outcome(words)["fresher"]) == (0, 1, COUNT - 1)
    assert client.get(a_key(7, "copy"))[2] == {"other": 1, **some_bins(7), "n": 7}
    code, _, words = run(*target, "-g", stdin=export)
    assert (code, outcome(words)["inserted"]) == (0, COUNT)
    assert client.get(a_key(3, "copy"))[2] == {"other": 1, **some_bins(3)}
    code, _, words = run(*target, "-g", "-r", stdin=export)
    assert (code, outcome(words)["inserted"]) == (0, COUNT)
    assert client.get(a_key(3, "copy"))[2] == some_bins(3)


def test_a_guarded_namespace_takes_nothing_and_the_tool_says_so_unless_told_to_ignore(
    nodes: list[StandinNode], client: aerospike.Client, copy: None, export: bytes
) -> None:
    del copy
    target = ("asrestore", "-h", nodes[0].ip, "-n", "test,copy", "-i", "-", "-I", "-F")
    for node in nodes:
        assert node.info("set-config:context=namespace;id=copy;reject-non-xdr-writes=true") == "ok"
    try:
        code, _, words = run(*target, "--parallel", "1", stdin=export)
        assert code == 1
        assert "code 22" in words
        assert outcome(words) == dict.fromkeys(outcome(words), 0) | {"ignored": 128}
        code, _, words = run(*target, "--ignore-record-error", stdin=export)
        assert (code, outcome(words)["ignored"], outcome(words)["inserted"]) == (0, COUNT, 0)
        assert not client.query("copy").results({"total_timeout": 0})
        assert run("asbackup", "-h", nodes[0].ip, "-n", "copy", "-o", "-")[0] == 0
    finally:
        for node in nodes:
            node.info("set-config:context=namespace;id=copy;reject-non-xdr-writes=false")


def test_a_truncated_stream_fails_after_its_earlier_records_are_written(
    nodes: list[StandinNode], client: aerospike.Client, copy: None, export: bytes
) -> None:
    del copy
    code, _, words = run("asrestore", "-h", nodes[0].ip, "-n", "test,copy", "-i", "-", stdin=export[: len(export) // 2])
    assert code == 1
    assert "[ERR]" in words
    inserted = outcome(words)["inserted"]
    assert 100 < inserted < 300
    assert len(client.query("copy").results({"total_timeout": 0})) == inserted


def test_expired_records_are_counted_and_left_out_unless_their_life_is_made_longer(
    nodes: list[StandinNode], copy: None, export: bytes
) -> None:
    del copy
    target = ("asrestore", "-h", nodes[0].ip, "-n", "test,copy", "-i", "-")
    past = re.sub(rb"\n\+ t [1-9]\d*\n", b"\n+ t 1000\n", export)
    code, _, words = run(*target, stdin=past)
    assert (code, outcome(words)["expired"], outcome(words)["inserted"]) == (0, COUNT // 4, COUNT - COUNT // 4)
    code, _, words = run(*target, "-u", "--extra-ttl", "1000000000", stdin=past)
    assert (code, outcome(words)["expired"], outcome(words)["inserted"]) == (0, 0, COUNT // 4)


def test_validation_needs_no_server_and_writes_nothing(export: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.asb").write_bytes(export)
    machine = tmp_path / "machine"
    code, _, words = run("asrestore", "-h", "127.0.0.9", "--validate", "-d", str(tmp_path), "-m", str(machine))
    assert code == 0, words
    assert machine.read_text().splitlines()[-1] == f"SUMMARY:1:2:{COUNT}:0:0:0:0 :0:0"
    (tmp_path / "a.asb").write_bytes(export[:-3])
    assert run("asrestore", "--validate", "-d", str(tmp_path))[0] == 1


def test_a_full_disk_fails_with_the_tools_words(nodes: list[StandinNode]) -> None:
    code, _, words = run("asbackup", "-h", nodes[0].ip, "-n", "test", "-o", "/dev/full")
    assert code == 1
    assert "No space left on device" in words
    assert "Backup aborted" in words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_backup_with_1(nodes: list[StandinNode], tmp_path: Path, number: signal.Signals) -> None:
    machine = tmp_path / "machine"
    options = ("-h", nodes[0].ip, "-n", "test", "-o", "-", "--records-per-second", "50", "-m", str(machine))
    argv = [sys.executable, "-m", "sandbox.tools.asbackup", *options]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()) as process:
        eventually(lambda: machine.exists() and "REMAINING:" in machine.read_text(), what="progress")
        process.send_signal(number)
        _, words = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "### Backup interrupted ###" in words.decode()
    assert re.search(r"\d+% complete \(~\d+ KiB/s, ~\d+ rec/s, ~\d+ B/rec\)", words.decode())
    assert re.match(r"PROGRESS:\d+\nREMAINING:\d+s\n", machine.read_text())


def test_a_signal_ends_tools_that_hang_in_a_pipe(nodes: list[StandinNode], export: bytes) -> None:
    tool = [sys.executable, "-m", "sandbox.tools.asrestore", "-h", nodes[0].ip, "-i", "-", "-n", "test,copy"]
    with subprocess.Popen(tool, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as restore:
        assert restore.stdin is not None
        assert restore.stderr is not None
        restore.stdin.write(export[:1000])
        restore.stdin.flush()
        while b"Starting restore" not in restore.stderr.readline():
            pass
        time.sleep(0.5)
        restore.send_signal(signal.SIGTERM)
        assert restore.wait(10) == 1
    tool = [sys.executable, "-m", "sandbox.tools.asbackup", "-h", nodes[0].ip, "-n", "test", "-o", "-"]
    with subprocess.Popen(tool, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as backup:
        assert backup.stderr is not None
        while b"Starting backup for" not in backup.stderr.readline():
            pass
        time.sleep(0.5)
        backup.send_signal(signal.SIGINT)
        assert backup.wait(10) == 1


def test_modification_times_are_local_times(nodes: list[StandinNode], client: aerospike.Client) -> None:
    time.sleep(1.1)
    moment = int(time.time())
    client.put(("copy", "late", "k"), {"a": 1})
    common = ("-h", nodes[0].ip, "-n", "copy", "-o", "-", "-s", "late")
    for zone in ("UTC", "Asia/Tokyo"):
        os.environ["TZ"] = zone
        time.tzset()
        shown = time.strftime("%Y-%m-%d_%H:%M:%S", time.localtime(moment))
        os.environ.pop("TZ")
        time.tzset()
        for option, count in (("--modified-after", "1"), ("--modified-before", "0")):
            code, _, words = run("asbackup", *common, option, shown, env={"TZ": zone})
            assert code == 0, words
            assert SUMMARY.findall(words)[0][0] == count
    client.remove(("copy", "late", "k"))


def test_an_estimate_writes_nothing_and_tells_the_size_of_records(nodes: list[StandinNode], tmp_path: Path) -> None:
    machine = tmp_path / "machine"
    code, content, words = run("asbackup", "-h", nodes[0].ip, "-n", "test", "--estimate", "-m", str(machine))
    assert (code, content) == (0, b"")
    found = re.search(r"Estimated overall record size is (\d+) byte\(s\)", words)
    assert found is not None
    assert f"ESTIMATE:{COUNT}:{found[1]}\n" in machine.read_text()
    assert 200 < int(found[1]) < 400


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        ("asbackup", ("-n", "test")),
        ("asbackup", ("-o", "-")),
        ("asbackup", ("-n", "test", "-o", "-", "-l", "10.0.0.1:3000")),
        ("asbackup", ("-n", "test", "-d", "s3://bucket/x")),
        ("asbackup", ("-n", "test", "-o", "-", "-y", "aes128")),
        ("asbackup", ("-n", "test", "-o", "-", "-X", "4000-100")),
        ("asbackup", ("-n", "test", "-o", "-", "-a", "yesterday")),
        ("asrestore", ()),
        ("asrestore", ("-i", "-", "-u", "-r")),
        ("asrestore", ("-i", "-", "-N", "5")),
        ("asrestore", ("-i", "/nowhere/x.asb")),
    ],
)
def test_what_can_not_be_done_as_asked_is_refused_with_1(tool: str, options: tuple[str, ...]) -> None:
    code, content, words = run(tool, *options)
    assert (code, content) == (1, b"")
    assert "[ERR]" in words


def test_an_unknown_namespace_and_a_silent_host_fail(nodes: list[StandinNode]) -> None:
    assert run("asbackup", "-h", nodes[0].ip, "-n", "none", "-o", "-")[0] == 1
    code, _, words = run("asbackup", "-h", "127.0.0.9", "-p", "1", "-n", "test", "-o", "-")
    assert code == 1
    assert "Error while connecting" in words
