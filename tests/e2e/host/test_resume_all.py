"""Break-glass on a host: whatever stopped writes here is ended, whoever ordered it, and what is not ours is told."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aerokeep_node.unit_files import FIRST_START_CONF

from tests.e2e.host.a_host import Host, Result

GUARD = "reject-non-xdr-writes"


def resume_all(host: Host, run: str = "all", tombstone: str = "yes") -> Result:
    return host.resume(run, tombstone)


def test_a_host_that_stops_nothing_has_nothing_to_resume(host: Host) -> None:
    assert resume_all(host, tombstone="no") == {
        "schema": 1, "verb": "resume-writes", "ok": True,
        "state": "nothing_to_resume", "runs": {}, "guards": [], "unread": None,
    }  # fmt: skip
    assert host.stop()[0] == 0
    host.evidence()


def test_a_write_stop_is_ended_without_its_name(host: Host) -> None:
    host.stop(run="nobody-knows", lease_s=20.0)
    host.wait_for_state("holding", "nobody-knows")
    told = resume_all(host)
    assert (told["state"], told["runs"], told["guards"]) == ("resumed", {"nobody-knows": "resumed"}, [])
    assert host.evidence("nobody-knows")["ended_by"] == "resume"
    assert host.is_as_before()


def test_a_write_stop_whose_processes_were_killed_is_undone(host: Host) -> None:
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    keeper = int(Path(f"/proc/{intent['resident']}/stat").read_text().split()[3])
    os.kill(keeper, signal.SIGKILL)
    os.kill(intent["resident"], signal.SIGKILL)
    assert host.setting(GUARD) == "true"
    assert resume_all(host)["runs"] == {"r1": "lease_ended"}
    assert host.is_as_before()


def test_a_write_stop_that_has_not_begun_never_begins(host: Host) -> None:
    host.stop(lead_s=8.0)
    assert resume_all(host)["runs"] == {"r1": "resumed"}
    assert host.evidence()["ended_by"] == "never_started"
    assert host.server.applied == []


def test_a_write_stop_that_was_ordered_before_and_arrives_after_is_refused(host: Host) -> None:
    resume_all(host)
    code, result = host.stop(run="late")
    assert (code, result["error"]["code"]) == (5, "barred")
    assert "resumed here by hand" in result["error"]["detail"]
    assert host.server.applied == []


def test_a_write_stop_that_is_being_armed_meanwhile_is_refused(host: Host) -> None:
    """The bar may come between the verb's judgement and its resident: the resident looks again."""
    request, bar = host.root / "run/aerokeep/r1/request.json", host.root / "run/aerokeep/barred-until"
    until = f"{time.clock_gettime(time.CLOCK_BOOTTIME) + 60:.3f}"
    host.program_on_path("chronyc", f"[ ! -e {request} ] || printf '%s' {until} > {bar}\nexit 1\n")
    code, result = host.stop(lead_s=8.0)
    assert bar.exists()
    assert (code, result["error"]["code"]) == (5, "barred")
    assert host.server.applied == []


def test_a_bar_that_has_run_out_bars_nothing(host: Host) -> None:
    resume_all(host)
    (host.root / "run/aerokeep/barred-until").write_text(f"{time.clock_gettime(time.CLOCK_BOOTTIME) - 1:.3f}")
    assert host.stop(lead_s=8.0)[0] == 0
    host.resume()


def _by_conf(host: Host) -> None:
    host.conf.write_text(host.conf.read_text().replace("namespace test {", f"namespace test {{\n {GUARD} true"))


def _by_a_first_start(host: Host) -> None:
    command = "\0".join(["asd", "--config-file", f"/etc/aerospike/{FIRST_START_CONF}", ""])
    (host.root / "proc" / "4242" / "cmdline").write_bytes(command.encode())
    (host.root / "etc/aerospike").mkdir(parents=True)
    host.conf.replace(host.root / "etc/aerospike/aerospike.conf")


def _by_hand(host: Host) -> None:
    del host


@pytest.mark.parametrize(
    ("cause", "prepare"), [("unknown", _by_hand), ("conf", _by_conf), ("first_start", _by_a_first_start)]
)
def test_a_guard_of_nobody_is_told_and_left_alone(host: Host, cause: str, prepare: Callable[[Host], None]) -> None:
    host.server.namespaces["test"].settings[GUARD] = "true"
    prepare(host)
    told = resume_all(host)
    assert told["state"] == "nothing_to_resume"
    assert told["guards"] == [{"namespace": "test", "setting": GUARD, "value": "true", "cause": cause, "lifted": False}]
    assert host.server.applied == []


def test_a_guard_of_nobody_is_lifted_where_it_is_asked_for(host: Host) -> None:
    host.server.namespaces["test"].settings[GUARD] = "true"
    assert [guard["lifted"] for guard in resume_all(host, "everything")["guards"]] == [True]
    assert host.setting(GUARD) == "false"
    assert resume_all(host)["guards"] == []


@pytest.mark.parametrize("prepare", [_by_conf, _by_a_first_start])
def test_a_guard_on_purpose_is_not_lifted_even_then(host: Host, prepare: Callable[[Host], None]) -> None:
    host.server.namespaces["test"].settings[GUARD] = "true"
    prepare(host)
    assert [guard["lifted"] for guard in resume_all(host, "everything")["guards"]] == [False]
    assert host.server.applied == []


def test_a_server_that_is_silent_hinders_no_undo(host: Host) -> None:
    host.server.close()
    told = resume_all(host)
    assert told["state"] == "nothing_to_resume"
    assert "asd_silent" in told["unread"]
