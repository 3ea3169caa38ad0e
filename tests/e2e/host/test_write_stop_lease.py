"""The lease: it acts at T0, undoes everything at T1 or earlier, and refuses what it must not do."""

import os
import signal
import time
from pathlib import Path

from tests.e2e.host.a_host import FENCE, Host, Result
from tests.e2e.host.scripted_info_server import ScriptedNamespace


def order(evidence: Result, *names: str) -> bool:
    instants = [evidence["times"][name] for name in names]
    return instants == sorted(instants)


def test_a_write_stop_guards_proves_and_lifts_and_tells_it_all(host: Host) -> None:
    code, armed = host.stop(lease_s=6.0)
    assert (code, armed["ok"]) == (0, True), armed
    assert armed["former"] == {"test": {"reject-non-xdr-writes": "false", "flush-max-ms": "1000"}}
    assert armed["armed_at"] < armed["start_at"]
    host.wait_for_state("holding")
    assert host.setting("reject-non-xdr-writes") == "true"
    assert host.setting("flush-max-ms") == "50"
    result = host.resume()
    assert result["state"] == "resumed"
    evidence = result["evidence"]
    assert evidence["errors"] == []
    assert evidence["ended_by"] == "resume"
    assert evidence["guarded_all"]
    assert order(evidence, "armed", "guard_sent", "guarded", "settle_started", "flushed", "lift_started", "lifted")
    assert evidence["times"]["guard_sent"] >= armed["start_at"]
    assert evidence["times"]["settle_started"] >= armed["start_at"] + 0.299
    test = evidence["namespaces"]["test"]
    assert test["unchanged"]
    assert test["flushed"]
    assert (test["master_objects"], test["tombstones"]) == (5, None)
    assert test["before"]["client_write_success"] == 100
    assert list(evidence["synced"]) == [str(host.file)]
    assert evidence["cluster"]["before"] == evidence["cluster"]["after"]
    assert evidence["cluster"]["before"]["peers"] == ["A2", "A3"]
    assert [file["name"] for file in evidence["aside"]["files"]] == ["conf/aerospike.conf", "smd/sindex.smd"]
    assert len(evidence["clocks"]) == 2
    assert host.is_as_before()
    assert host.resume() == result


def test_the_proof_takes_less_than_half_a_second_after_settling(host: Host) -> None:
    host.stop(lead_s=3.0)
    times = host.evidence()["times"]
    assert times["flushed"] - times["settle_started"] < 0.5


def test_a_stop_whose_controller_vanished_ends_by_itself_at_t1(host: Host) -> None:
    _, armed = host.stop()
    evidence = host.evidence()
    assert evidence["ended_by"] == "lease"
    assert armed["end_at"] <= evidence["times"]["lift_started"] < armed["end_at"] + 0.5
    assert host.is_as_before()
    assert host.resume()["state"] == "lease_ended"


def test_deadlines_are_true_time_whatever_the_hosts_clock_says(host: Host) -> None:
    host.set_clock(offset_s=1.0)  # the host is a second ahead of the truth, as chronyc reports
    host.stop(StartAt=f"{time.time() - 1.0 + 2.2:.3f}", EndAt=f"{time.time() - 1.0 + 4.0:.3f}")
    evidence = host.evidence()
    clock = evidence["clocks"][0]
    assert clock["offset_s"] == 1.0
    assert abs(evidence["times"]["guard_sent"] - clock["at"]) < 4.0


def test_a_stop_writes_delivered_after_its_t0_changes_nothing(host: Host) -> None:
    code, result = host.stop(lead_s=-0.5)
    assert (code, result["error"]["code"]) == (3, "too_late")
    assert host.server.applied == []
    assert not (host.root / "run" / "aerokeep" / "r1").exists()


def test_windows_too_far_ahead_or_too_long_are_refused(host: Host) -> None:
    assert host.stop(lead_s=150.0)[1]["error"]["code"] == "too_far"
    assert host.stop(lease_s=61.0)[1]["error"]["code"] == "lease_too_long"
    assert host.server.applied == []


def test_a_second_stop_is_refused_while_the_first_lives(host: Host) -> None:
    host.stop(lead_s=20.0)
    for run in ("r1", "r2"):
        code, result = host.stop(run=run, lead_s=20.0, Token="f" * 32)
        assert (code, result["error"]["code"]) == (4, "guard_held")
    assert host.call("health")[1]["write_stop"]["run"] == "r1"
    assert host.resume()["evidence"]["ended_by"] == "never_started"
    assert host.call("health")[1]["write_stop"] is None


def test_the_same_stop_delivered_twice_is_one_stop_with_one_answer(host: Host) -> None:
    first = host.stop(lead_s=20.0)
    assert host.stop(lead_s=30.0) == first, "its window is that of the command that came first"
    assert host.resume()["evidence"]["ended_by"] == "never_started"


def test_a_guard_that_is_already_set_is_refused_and_left_alone(host: Host) -> None:
    host.server.namespaces["test"].settings["reject-non-xdr-writes"] = "true"
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (3, "guard_already_set")
    assert host.setting("reject-non-xdr-writes") == "true"
    survey = host.call("survey")[1]
    assert "guard_already_set" in [problem["code"] for problem in survey["problems"]]


def test_a_guard_that_the_conf_sets_on_purpose_is_put_back(folder: Path) -> None:
    (folder / "d").mkdir()
    host = Host(folder / "passive", folder / "d", conf_extra="reject-non-xdr-writes true")
    host.server.namespaces["test"].settings["reject-non-xdr-writes"] = "true"
    assert host.stop()[0] == 0
    assert host.evidence()["guarded_all"]
    assert host.setting("reject-non-xdr-writes") == "true"
    assert host.setting("flush-max-ms") == "1000"
    host.close()


def test_a_flush_rhythm_of_never_is_shortened_and_put_back(host: Host) -> None:
    host.server.namespaces["test"].settings["storage-engine.flush-max-ms"] = "0"
    host.stop()
    host.wait_for_state("holding")
    assert host.setting("flush-max-ms") == "50"
    host.resume()
    assert host.setting("flush-max-ms") == "0"


def test_transactions_over_several_records_are_closed_too_and_waited_for(host: Host) -> None:
    test = host.server.namespaces["test"]
    test.settings.update({"strong-consistency": "true", "disable-mrt-writes": "false"})
    test.statistics.update({"mrt_provisionals": 2, "mrt_monitors_active": 1})
    host.stop(lead_s=4.0, lease_s=12.0)
    host.wait_for_state("guarding")
    time.sleep(1.5)
    finished_at = time.time()
    test.statistics.update({"mrt_provisionals": 0, "mrt_monitors_active": 0})
    host.wait_for_state("holding")
    evidence = host.resume()["evidence"]
    assert evidence["guarded_all"]
    assert evidence["times"]["flushed"] > finished_at
    assert ("test", "disable-mrt-writes", "true") in {change[1:] for change in host.server.applied}
    assert host.setting("disable-mrt-writes") == "false"
    assert host.is_as_before()


def test_transactions_that_never_end_give_no_proof(host: Host) -> None:
    test = host.server.namespaces["test"]
    test.settings.update({"strong-consistency": "true", "disable-mrt-writes": "false"})
    test.statistics.update({"mrt_provisionals": 1, "mrt_monitors_active": 1})
    host.stop(lead_s=4.0, lease_s=3.0)
    evidence = host.evidence()
    assert not evidence["namespaces"]["test"]["flushed"]
    assert host.setting("disable-mrt-writes") == "false"
    assert host.is_as_before()


def test_where_there_are_no_such_transactions_nothing_more_is_changed(host: Host) -> None:
    host.server.namespaces["test"].settings["disable-mrt-writes"] = "false"
    host.stop(lead_s=4.0, lease_s=2.0)
    host.evidence()
    assert "disable-mrt-writes" not in {setting for _, _, setting, _ in host.server.applied}


def test_a_raw_device_that_stalls_is_waited_for_though_the_server_s_queues_are_empty(host: Host) -> None:
    host.server.namespaces["test"].settings["storage-engine.device[0]"] = "/dev/xvdz"
    in_flight = host.root / "sys/class/block/xvdz/inflight"
    in_flight.parent.mkdir(parents=True)
    in_flight.write_text("       0        1\n")
    host.stop(lead_s=4.0, lease_s=12.0)
    host.wait_for_state("guarding")
    time.sleep(1.5)
    completed_at = time.time()
    in_flight.write_text("       3        0\n")
    host.wait_for_state("holding")
    assert host.resume()["evidence"]["times"]["flushed"] > completed_at
    assert host.is_as_before()


def test_counters_that_are_no_numbers_cost_evidence_and_not_the_undoing(host: Host) -> None:
    host.stop(lead_s=4.0, lease_s=20.0)
    host.wait_for_state("holding")
    resumed, honest = host.root / "run/aerokeep/r1/resume", host.server.answer

    def answer(command: str) -> str:
        nonsense = resumed.exists() and command.startswith("namespace/")
        return "client_write_success=\u00b2" if nonsense else honest(command)

    host.server.answer = answer  # type: ignore[method-assign]
    evidence = host.resume()["evidence"]
    assert evidence["ended_by"] == "resume", evidence["errors"]
    assert not evidence["namespaces"]["test"]["unchanged"]
    assert host.is_as_before()


def test_a_tombstone_keeps_a_late_stop_from_starting(host: Host) -> None:
    assert host.resume(tombstone="yes") == {
        "schema": 1, "verb": "resume-writes", "ok": True, "state": "never_armed", "evidence": None,
    }  # fmt: skip
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (3, "tombstone")
    assert host.server.applied == []


def test_a_resume_before_t0_leaves_the_server_alone(host: Host) -> None:
    host.stop(lead_s=8.0)
    result = host.resume(tombstone="yes")
    assert result["evidence"]["ended_by"] == "never_started"
    assert result["evidence"]["times"]["lift_started"] is None
    assert host.server.applied == []


def test_a_set_config_that_hangs_over_the_lease_is_lifted_all_the_same(host: Host) -> None:
    def hang(_: str, setting: str, value: str) -> None:
        if (setting, value) == ("reject-non-xdr-writes", "true"):
            time.sleep(4.0)  # over the whole lease of 2 s: it lands when everything had been lifted

    host.server.before_set = hang
    host.stop()
    evidence = host.evidence()
    assert not evidence["guarded_all"]
    landed = [
        at for at, _, setting, value in host.server.applied if (setting, value) == ("reject-non-xdr-writes", "true")
    ]
    assert len(landed) == 1, "the late guard did land"
    assert evidence["times"]["lifted"] > landed[0]
    assert host.is_as_before()


def test_a_server_that_says_no_is_left_unguarded_and_reported(host: Host) -> None:
    host.server.before_set = lambda _n, _s, value: "error" if value == "true" else None
    host.stop()
    evidence = host.evidence()
    assert evidence["ended_by"] == "failure"
    assert not evidence["guarded_all"]
    assert [error["act"] for error in evidence["errors"]] == ["guard", "window"]
    assert host.is_as_before()


def test_a_dropped_connection_is_no_success(host: Host) -> None:
    host.server.before_set = lambda _n, _s, value: "drop" if value == "true" else None
    host.stop()
    evidence = host.evidence()
    assert not evidence["guarded_all"]
    assert host.is_as_before()


def test_a_lift_that_is_refused_at_first_is_repeated_until_it_stays(host: Host) -> None:
    refusals = ["error", "ERROR:4:invalid set-config parameter", "ERROR::busy"]

    def refuse(_: str, setting: str, value: str) -> str | None:
        return refusals.pop() if (setting, value) == ("reject-non-xdr-writes", "false") and refusals else None

    host.server.before_set = refuse
    host.stop()
    host.evidence()
    assert refusals == []
    assert host.is_as_before()


def test_writes_that_go_on_under_the_guard_give_no_proof(host: Host) -> None:
    host.stop(lease_s=3.0)
    host.wait_for_state("guarding")
    statistics = host.server.namespaces["test"].statistics
    while not (host.root / "run/aerokeep/r1/evidence.json").exists():
        statistics["xdr_client_write_success"] = statistics.get("xdr_client_write_success", 0) + 1
        time.sleep(0.03)
    evidence = host.evidence()
    assert evidence["times"]["flushed"] is None
    assert any("no flush proof" in error["detail"] for error in evidence["errors"])
    assert host.is_as_before()


def test_a_write_after_the_proof_shows_in_the_evidence(host: Host) -> None:
    host.stop(lease_s=6.0)
    host.wait_for_state("holding")
    host.server.namespaces["test"].statistics["client_write_success"] += 1
    test = host.resume()["evidence"]["namespaces"]["test"]
    assert test["flushed"]
    assert not test["unchanged"]


def test_a_guard_lost_by_a_restart_in_the_window_shows_in_the_evidence(host: Host) -> None:
    host.stop(lease_s=6.0)
    host.wait_for_state("holding")
    host.server.namespaces["test"].settings.update({"reject-non-xdr-writes": "false"})
    assert not host.resume()["evidence"]["guarded_all"]


def test_sigterm_undoes_at_once(host: Host) -> None:
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    os.kill(intent["resident"], signal.SIGTERM)
    assert host.evidence(within_s=5.0)["ended_by"] == "failure"
    assert host.is_as_before()


def test_a_killed_resident_is_undone_by_its_keeper(host: Host) -> None:
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    os.kill(intent["resident"], signal.SIGKILL)
    evidence = host.evidence(within_s=10.0)
    assert evidence["ended_by"] == "failure"
    assert "killed while holding" in evidence["errors"][0]["detail"]
    assert host.is_as_before()
    assert host.resume()["state"] == "lease_ended"


def test_a_stop_undoes_first_what_a_killed_pair_left_behind(host: Host) -> None:
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    keeper = int(Path(f"/proc/{intent['resident']}/stat").read_text().split()[3])
    os.kill(keeper, signal.SIGKILL)
    os.kill(intent["resident"], signal.SIGKILL)
    assert host.setting("reject-non-xdr-writes") == "true"
    assert host.stop(run="r2", lead_s=20.0)[0] == 0
    assert host.evidence("r1")["ended_by"] == "failure"
    assert host.resume("r2")["evidence"]["ended_by"] == "never_started"
    assert host.is_as_before()


def test_a_run_directory_that_loses_its_token_ends_the_write_stop(host: Host) -> None:
    host.stop(lease_s=20.0)
    host.wait_for_state("holding")
    request = host.root / "run/aerokeep/r1/request.json"
    request.write_text(request.read_text().replace(FENCE, "f" * 32))
    assert "token" in host.evidence(within_s=5.0)["errors"][0]["detail"]
    assert host.is_as_before()


def test_unknown_namespaces_and_mount_points_are_refused(host: Host) -> None:
    assert host.stop(Namespaces="test,nope")[1]["error"]["code"] == "namespace_unknown"
    assert host.stop(Freeze="/not/mounted")[1]["error"]["code"] == "not_freezable"
    assert host.stop(Freeze="/")[1]["error"]["code"] == "not_freezable"
    assert host.server.applied == []


def test_a_silent_server_is_not_now(host: Host) -> None:
    host.server.close()
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (5, "asd_silent")


def test_an_unset_variable_means_an_old_agent(host: Host) -> None:
    code, result = host.call("resume-writes", Run="r1")
    assert (code, result["error"]["code"]) == (3, "agent_too_old")


def test_many_busy_namespaces_still_fit_into_one_reply(host: Host) -> None:
    for number in range(31):
        busy = ScriptedNamespace(str(host.file))
        busy.statistics.update({f"storage-engine.file[{i}].writes": 10**12 for i in range(8)})
        for way in ("client", "batch_sub", "from_proxy", "ops_sub", "xdr_client", "from_proxy_batch_sub"):
            busy.statistics.update({f"{way}_{act}_success": 10**14 for act in ("write", "delete", "lang_write")})
        host.server.namespaces[f"a-namespace-with-a-long-name-{number:02}"] = busy
    code, result = host.stop(lead_s=4.0, lease_s=8.0, Namespaces=",".join(host.server.namespaces))
    assert code == 0, result
    host.wait_for_state("holding")
    evidence = host.resume()["evidence"]
    assert len(evidence["namespaces"]) == 32
    assert all(namespace["unchanged"] for namespace in evidence["namespaces"].values())
    assert evidence["guarded_all"]


def test_runs_that_ended_long_ago_are_taken_away(host: Host) -> None:
    host.stop(run="old")
    host.stop(run="new", lead_s=-1.0)
    assert host.resume("old", tombstone="yes")["evidence"]["ended_by"] == "never_started"
    old = host.root / "run/aerokeep/old"
    os.utime(old, (0, 0))
    assert host.stop(run="next")[0] == 0
    assert not old.exists()
    host.resume("next")


def test_a_run_has_one_try(host: Host) -> None:
    host.stop()
    host.resume()
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (3, "run_is_over")
