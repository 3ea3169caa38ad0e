"""Keys, progress and the run directory of an export or import, each on its own."""

import base64
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from aerokeep_node.refusal import HeldError, RefusalError
from aerokeep_node.run_directory import (
    ASIDE_LIST,
    INTENT,
    KEEP_S,
    PROGRESS,
    REQUEST,
    TRANSFER_LOCK,
    TRANSFER_TOMBSTONE,
    RunDirectory,
    prune_old_runs,
)
from aerokeep_node.transfer.keys import check_of, find_key
from aerokeep_node.transfer.order import EXPORT_KINDS, Order, parse_order
from aerokeep_node.transfer.progress import blank_part, part_error, read_status
from aerokeep_node.tree import Tree

from tests.unit.node.test_transfer_order import ENCRYPTION, SPEC

DER = b"\x30\x05\x02\x01\x00\x02\x00"
PEM = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(str(tmp_path))


def pem(der: bytes, kind: str = "RSA PRIVATE KEY") -> str:
    return PEM.format(kind, base64.b64encode(der).decode())


def wrapped(der: bytes) -> bytes:
    """What PKCS #8 makes of a key."""
    body = b"\x02\x01\x00" + b"\x30\x02\x05\x00" + b"\x04" + bytes([len(der)]) + der
    return b"\x30\x81" + bytes([len(body)]) + body


def encrypted(check: str | None = None) -> Order:
    encryption = {**ENCRYPTION, "check": check}
    return parse_order({**SPEC, "encryption": encryption, "compression": "zstd"}, EXPORT_KINDS)


def key_file(tree: Tree, text: str, mode: int = 0o600) -> Path:
    path = Path(tree.path("etc/aerokeep/key.pem"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_same_key_has_the_same_check_however_it_is_wrapped(tree: Tree) -> None:
    path = key_file(tree, pem(DER))
    key = find_key(tree, encrypted())
    assert key is not None
    assert key.options == ("-y", "aes128", "--encryption-key-file", str(path), "--compress", "zstd")
    assert key.variables == {}
    assert key.check == check_of(DER)
    key_file(tree, pem(wrapped(DER), "PRIVATE KEY"))
    assert find_key(tree, encrypted(key.check)) == key
    key_file(tree, pem(DER + b"\x00"))
    with pytest.raises(RefusalError, match="wrong_key"):
        find_key(tree, encrypted(key.check))


def test_a_real_key_has_one_check_in_both_of_its_forms(tree: Tree) -> None:
    made = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], capture_output=True, check=True)
    wrapped_key = subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-nocrypt"], input=made.stdout, capture_output=True, check=True
    ).stdout
    checks = set()
    for text in (made.stdout, wrapped_key):
        key_file(tree, text.decode())
        key = find_key(tree, encrypted())
        assert key is not None
        checks.add(key.check)
    assert len(checks) == 1


@pytest.mark.parametrize(
    "text",
    ["", "secret", PEM.format("PUBLIC KEY", "AAAA"), PEM.format("PRIVATE KEY", "AAAA"), PEM.format("PRIVATE KEY", "!"),
     PEM.format("ENCRYPTED PRIVATE KEY", "AAAA")],
)  # fmt: skip
def test_what_the_tools_could_not_read_is_no_key(tree: Tree, text: str) -> None:
    key_file(tree, text)
    with pytest.raises(RefusalError, match="key_unavailable"):
        find_key(tree, encrypted())


def test_a_key_that_others_can_read_is_refused(tree: Tree) -> None:
    key_file(tree, pem(DER), 0o604)
    with pytest.raises(RefusalError, match=r"key_unavailable.*chmod"):
        find_key(tree, encrypted())


# -- progress ----------------------------------------------------------------------------------------------------------


def a_progress(tree: Tree, **changes: Any) -> RunDirectory:  # noqa: ANN401 - any field
    directory = RunDirectory(tree, "r1")
    directory.create()
    progress: dict[str, Any] = {
        "state": "running", "kind": "export", "token": "0" * 16, "tool": None, "began_at": time.time(),
        "ended_at": None, "parts": [], "detail": "", "key_check": None, "pid": 4242,
    }  # fmt: skip
    directory.write(PROGRESS, {**progress, **changes})
    return directory


def test_a_job_that_says_it_runs_is_dead_unless_its_lock_is_held(tree: Tree) -> None:
    assert read_status(RunDirectory(tree, "r1"))["state"] == "none"
    directory = a_progress(tree)
    assert read_status(directory)["state"] == "dead"
    lock = TRANSFER_LOCK.take(tree, "r1")
    assert read_status(directory)["state"] == "running"
    with pytest.raises(HeldError, match="job_running"):
        TRANSFER_LOCK.take(tree, "r2")
    os.close(lock)
    directory.mark(TRANSFER_TOMBSTONE)
    assert read_status(directory)["state"] == "cancelled"


def test_a_job_may_take_a_moment_to_come_up(tree: Tree) -> None:
    assert read_status(a_progress(tree, pid=None))["state"] == "running"
    assert read_status(a_progress(tree, pid=None, began_at=time.time() - 60))["state"] == "dead"


@pytest.mark.parametrize("kind", ["export", "import", "verify"])
@pytest.mark.parametrize("failed", [True, False])
def test_a_status_of_many_parts_fits_into_what_ssm_carries(tree: Tree, kind: str, failed: bool) -> None:  # noqa: FBT001 - a table
    part = blank_part(kind, "a-namespace-with-a-long-name-00")
    part["state"] = "failed" if failed else "done"
    if failed:
        part["error"] = part_error("tool_failed", "x" * 1000)
    elif kind == "export":
        part["listing"] = {"key": "clusters/a/exports/" + "k" * 80, "sha256": "0" * 64, "size": 123456}
        part["summary"] = {"records": 10**10, "sindexes": 10, "udfs": 10, "bytes": 10**13}
    else:
        part["counters"] = dict.fromkeys(part["counters"], 10**9)
    status = read_status(a_progress(tree, state="failed", parts=[part] * 64))
    assert len(json.dumps(status, separators=(",", ":"))) < 23500
    assert all({"name", "state"} <= set(one) for one in status["parts"])
    assert read_status(a_progress(tree, state="failed", parts=[part] * 8))["parts"][0] == part


# -- what is kept ------------------------------------------------------------------------------------------------------


def old_run(tree: Tree, name: str, *files: str, age_s: float = KEEP_S + 60) -> RunDirectory:
    directory = RunDirectory(tree, name)
    directory.create()
    for file in files:
        directory.write(file, {})
    os.utime(directory.path, (time.time() - age_s,) * 2)
    return directory


def test_old_transfers_are_taken_away_but_never_one_that_lives(tree: Tree) -> None:
    old_run(tree, "ended", PROGRESS)
    old_run(tree, "lives", PROGRESS)
    old_run(tree, "cancelled", TRANSFER_TOMBSTONE)
    old_run(tree, "cancelled-just-now", TRANSFER_TOMBSTONE, age_s=KEEP_S - 60)
    old_run(tree, "captured", ASIDE_LIST)
    old_run(tree, "guarded", PROGRESS, REQUEST, INTENT)
    lock = TRANSFER_LOCK.take(tree, "lives")
    prune_old_runs(tree, time.time())
    os.close(lock)
    left = [name for name in tree.listdir("run/aerokeep") if not name.endswith(".lock")]
    assert left == ["cancelled-just-now", "guarded", "lives"]
