"""The documents as the SSM agent runs them: one object on stdout, whatever the host lacks."""

import base64
import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.device_headers import a_header, written
from tests.e2e.host.a_document import run_script, script_of
from tests.e2e.host.a_host import SMD, Host
from tests.e2e.host.a_service import Service
from tests.e2e.host.a_store import FileStore
from tests.e2e.host.a_transfer import TransferHost

OLD_PYTHONS = [*Path.home().glob(".pyenv/versions/3.7.*/bin/python3.7"), Path("/usr/bin/python3.7")]


def test_a_document_runs_its_verb_from_a_root_only_folder(host: Host, built: Path) -> None:
    for _ in range(2):  # the second time from what the first put there
        code, result = run_script(host, script_of(built, "health"))
        assert (code, result["verb"], result["ok"]) == (0, "health", True)
    programs = list((host.root / "run/aerokeep/program").rglob("*.pyz"))
    assert [program.read_bytes() for program in programs] == [(built / "programs/health.pyz").read_bytes()]
    assert programs[0].stat().st_mode & 0o777 == 0o600
    assert programs[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_write_stop_lives_from_its_own_zipapp(host: Host, built: Path) -> None:
    code, _ = host.stop(program=str(built / "programs/stop-writes.pyz"))
    assert code == 0
    assert host.evidence()["guarded_all"]
    assert host.is_as_before()


def test_one_documents_resident_obeys_another_documents_program(host: Host, built: Path) -> None:
    host.stop(program=str(built / "programs/stop-writes.pyz"), lease_s=20.0)
    host.wait_for_state("holding")
    code, result = run_script(host, script_of(built, "resume-writes"), SSM_Run="r1", SSM_Tombstone="no")
    assert (code, result["state"]) == (0, "resumed")
    assert result["evidence"]["ended_by"] == "resume"
    assert host.is_as_before()


def test_unset_variables_are_an_old_agent_in_the_same_form(host: Host, built: Path) -> None:
    code, result = run_script(host, script_of(built, "resume-writes"), SSM_Run="r1")
    assert (code, result["error"]["code"]) == (3, "agent_too_old")
    assert (result["schema"], result["verb"], result["ok"]) == (1, "resume-writes", False)


def test_a_host_without_python_gets_a_clear_refusal(host: Host, built: Path) -> None:
    for tool in ("sha256sum", "base64", "gzip", "mkdir", "mv"):
        (host.bin / tool).symlink_to(str(shutil.which(tool)))
    host.program_on_path("python3", "exit 1\n")  # as an older one answers
    script = script_of(built, "health").replace(":/usr/local/sbin:/usr/sbin:/sbin", "")
    code, result = run_script(host, script, PATH=str(host.bin))
    assert (code, result["error"]["code"]) == (3, "python_missing")


def test_a_damaged_program_is_never_run(host: Host, built: Path) -> None:
    good = (built / "programs/health.pyz").read_bytes()
    bad = base64.b64encode(gzip.compress(good[:-1] + b"x", 9, mtime=0)).decode()
    head, _, rest = script_of(built, "health").partition("<<'PROGRAM'")
    opening, _, tail = rest.partition("\n")
    _, _, after = tail.partition("\nPROGRAM\n")
    code, result = run_script(host, f"{head}<<'PROGRAM'{opening}\n{bad}\nPROGRAM\n{after}")
    assert (code, result["error"]["code"]) == (3, "program_damaged")


@pytest.mark.skipif(not any(map(os.path.exists, OLD_PYTHONS)), reason="no Python 3.7 here (pyenv install 3.7)")
def test_the_oldest_python_lives_a_whole_write_stop(host: Host, built: Path) -> None:
    python = next(str(path) for path in OLD_PYTHONS if path.exists())
    program = str(built / "programs/stop-writes.pyz")
    assert host.stop(program=program, python=python)[0] == 0
    evidence = host.evidence()
    assert evidence["guarded_all"]
    assert evidence["errors"] == []
    assert host.is_as_before()


@pytest.mark.skipif(not any(map(os.path.exists, OLD_PYTHONS)), reason="no Python 3.7 here (pyenv install 3.7)")
def test_the_oldest_python_goes_through_a_whole_restore(
    host: Host, service: Service, store: FileStore, built: Path
) -> None:
    python = next(str(path) for path in OLD_PYTHONS if path.exists())

    def call(verb: str, **parameters: str) -> dict[str, Any]:
        program = str(built / f"programs/{verb}.pyz")
        code, result = host.call(verb, program=program, python=python, **parameters)
        assert code == 0, result
        return result

    host.file.write_bytes(written(a_header(n_devices=1)))
    service.systemctl("start", "aerospike.service")
    assert call("survey")["asd"]["unit"]["active"] == "active"
    assert call("health")["node_id"] == "A1"
    assert call("stop", Run="r1", Unmount="none")["state"] == "stopped"
    assert call("survey")["namespaces"][0]["paths"][0]["header"]["n_devices"] == 1
    address = store.order(
        {
            "node_id": "A1",
            "volumes": [],
            "devices": [{"namespace": "test", "path": str(host.file), "role": "file", "volume_id": None}],
            "sets": [{"namespace": "test", "n_devices": 1, "random": None, "version": 4, "blank": False}],
            "smd": {"action": "replace", "files": [store.file("sindex.smd", SMD.encode())]},
            "conf": {"action": "keep", "files": []},
            "first_start": {"reject_writes": ["test"], "cold_start_empty": []},
            "cut_at": 1763900000.5,
            "clock_error_s": 1,
        }
    )
    assert call("stage", Run="r1", Spec=address)["staged"]
    assert call("start", Run="r1", Mode="first")["state"] == "ready"
    assert call("open-writes", Run="r1", Namespaces="test")["open"]
    assert call("stop", Run="r1", Unmount="none")["state"] == "stopped"
    assert call("stage", Run="r1", Spec="back")["put_back"] == ["smd", "conf"]


@pytest.mark.skipif(not any(map(os.path.exists, OLD_PYTHONS)), reason="no Python 3.7 here (pyenv install 3.7)")
def test_the_oldest_python_exports_and_verifies(transfer: TransferHost, built: Path) -> None:
    transfer.python = next(str(path) for path in OLD_PYTHONS if path.exists())
    transfer.programs = built / "programs"
    status = transfer.do()
    assert status["state"] == "done", transfer.log()
    [listing] = [part["listing"] for part in status["parts"]]
    del listing["size"]
    part = {"name": "test-00", "namespace": "test", "target": "test", "listing": listing, "skip": 0, "metadata": True}
    status = transfer.do(kind="import", run="r2", parts=[part])
    assert status["state"] == "done", transfer.log("r2")
    assert status["parts"][0]["counters"]["inserted"] == 1000
    export = transfer.put_export([b"Version 3.1\n# namespace test\n# first-file\n"], name="raw-00")
    status = transfer.do(kind="verify", run="r3", parts=[export])
    assert (status["state"], status["parts"][0]["method"]) == ("done", "parse"), transfer.log("r3")
    assert transfer.cancel("r4")["state"] == "none"
