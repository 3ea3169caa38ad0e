"""Stop, start and open-writes: nothing starts what must not start, and nothing stays closed or half open."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.device_headers import a_header, written
from tests.e2e.host.a_host import Answer, Host
from tests.e2e.host.a_service import Service
from tests.e2e.host.loop_filesystem import LoopFilesystem


def stop(host: Host, unmount: str = "none", run: str = "r1") -> dict[str, Any]:
    code, result = host.call("stop", Run=run, Unmount=unmount)
    assert code == 0, result
    return result


def start(host: Host, mode: str = "first", run: str = "r1") -> Answer:
    return host.call("start", Run=run, Mode=mode)


def open_writes(host: Host, namespaces: str = "test") -> Answer:
    return host.call("open-writes", Run="r1", Namespaces=namespaces)


def code_of(answer: Answer) -> tuple[int, str]:
    return answer[0], str(answer[1]["error"]["code"])


# -- stop ----------------------------------------------------------------------------------------------------------


def test_a_stop_masks_first_ends_the_server_and_says_how_it_ended(host: Host, service: Service) -> None:
    host.file.write_bytes(written(a_header(n_devices=1)))
    service.orders(files=[str(host.file)])
    service.systemctl("start", "aerospike.service")
    result = stop(host)
    assert result | {"schema": 1} == {
        "schema": 1, "verb": "stop", "ok": True,
        "state": "stopped", "masked": True, "clean": True, "unmounted": [], "detail": "",
    }  # fmt: skip
    assert service.masked
    assert service.pid is None
    changes = [call for call in service.calls if call.split()[0] in ("mask", "stop", "daemon-reload")]
    # A reload before its end would make systemd forget how long this server may take to stop.
    assert [call.split()[0] for call in changes] == ["mask", "stop", "daemon-reload"]
    assert "--no-reload" in changes[0]
    assert "--no-block" in changes[1]
    assert stop(host) == result


def test_a_systemctl_that_knows_no_option_still_masks(host: Host, service: Service) -> None:
    script = (host.bin / "systemctl").read_text()
    refuse = 'case "$*" in *--no-reload*) echo "unrecognized option" >&2; exit 1;; esac\n'
    (host.bin / "systemctl").write_text(script.replace("exec", refuse + "exec", 1))
    assert stop(host)["state"] == "stopped"
    assert service.masked


def test_a_server_that_was_killed_did_not_end_cleanly(host: Host, service: Service) -> None:
    host.file.write_bytes(written(a_header(n_devices=1)))
    service.systemctl("start", "aerospike.service")
    service.close()
    result = stop(host)
    assert (result["state"], result["clean"]) == ("stopped", False)


def test_a_host_without_readable_headers_says_nothing_of_cleanness(host: Host, service: Service) -> None:
    assert service.pid is None
    assert stop(host)["clean"] is None


def test_a_slow_stop_is_a_state_and_a_later_call_finds_the_end(host: Host, service: Service) -> None:
    service.orders(term_takes_s=11)
    service.systemctl("start", "aerospike.service")
    began = time.monotonic()
    result = stop(host)
    assert (result["state"], result["clean"], result["masked"]) == ("stopping", None, True)
    assert f"asd processes: {service.pid}" in result["detail"]
    assert time.monotonic() - began < 20
    assert stop(host)["state"] == "stopped"


def test_a_server_that_nobody_knows_of_is_ended_too(host: Host, service: Service) -> None:
    service.systemctl("start", "aerospike.service")
    (service.state / "pid").unlink()  # for systemd it was started by hand
    assert service.pid is not None
    assert stop(host)["state"] == "stopped"
    assert service.pid is None


def test_a_unit_file_that_is_in_the_way_of_the_mask_is_named(host: Host, service: Service) -> None:
    service.mask_link.parent.mkdir(parents=True)
    service.mask_link.write_text(service.unit_file.read_text())
    service.systemctl("start", "aerospike.service")
    assert code_of(host.call("stop", Run="r1", Unmount="none")) == (3, "unit_not_maskable")
    assert service.pid is not None, "nothing is stopped that could start again"


def test_the_systems_own_mount_points_are_never_unmounted(host: Host, service: Service) -> None:
    assert not service.masked
    assert code_of(host.call("stop", Run="r1", Unmount="/data,/var/")) == (2, "not_unmountable")
    assert not service.masked


def test_a_live_write_stop_is_not_stopped_over(host: Host, service: Service) -> None:
    host._process(4343, ["asd", "--config-file", str(host.conf)])  # noqa: SLF001 - the host of a running server
    host.stop(lease_s=20.0)
    assert code_of(host.call("stop", Run="r2", Unmount="none")) == (4, "guard_held")
    assert not service.masked
    host.resume()


def test_without_systemd_the_new_verbs_refuse(host: Host) -> None:
    host.program_on_path("systemctl", "echo 'System has not been booted with systemd' >&2\nexit 1\n")
    for verb, parameters in (("stop", {"Unmount": "none"}), ("start", {"Mode": "normal"})):
        assert code_of(host.call(verb, Run="r1", **parameters)) == (3, "systemd_missing")
    assert code_of(open_writes(host)) == (3, "systemd_missing")


def test_what_was_mounted_is_unmounted_and_remembered(host: Host, service: Service, filesystem: LoopFilesystem) -> None:
    (host.root / "proc/self/mountinfo").unlink()
    (host.root / "proc/self/mountinfo").symlink_to("/proc/self/mountinfo")
    point = str(filesystem.mount_point)
    try:
        with (filesystem.mount_point / "busy").open("w"):
            result = stop(host, unmount=point)
            assert (result["state"], result["unmounted"]) == ("stopping", [])
            assert "busy" in result["detail"]
        assert stop(host, unmount=point)["unmounted"] == [point]
        assert stop(host, unmount=point)["state"] == "stopped"
        assert not filesystem.mount_point.is_mount()
        assert service.masked
    finally:
        if not filesystem.mount_point.is_mount():
            filesystem.mount_again()


# -- start ---------------------------------------------------------------------------------------------------------


def test_a_first_start_needs_its_settings(host: Host, service: Service) -> None:
    service.systemctl("mask", "aerospike.service")
    assert code_of(start(host)) == (3, "not_staged")
    service.stage_first_start()
    service.first_conf.unlink()
    assert code_of(start(host)) == (3, "not_staged")
    assert service.masked
    assert service.pid is None


def test_an_ordinary_start_refuses_what_a_first_start_left(host: Host, service: Service) -> None:
    service.stage_first_start()
    assert code_of(start(host, "normal")) == (3, "first_start_staged")
    assert service.pid is None


def test_a_first_start_is_cold_and_with_its_own_conf(host: Host, service: Service) -> None:
    stop(host)
    service.stage_first_start()
    code, result = start(host)
    assert code == 0
    assert (result["state"], result["pid"], result["cold_start"]) == ("ready", service.pid, True)
    assert result["conf"] == str(service.first_conf)
    assert service.arguments == ["--config-file", str(service.first_conf), "--cold-start", "--fgdaemon"]
    assert not service.masked
    assert start(host)[1] == result
    assert [call.split()[0] for call in service.calls].count("start") == 1


def test_a_drop_in_written_in_the_dark_is_written_again_after_the_units_own_word(host: Host, service: Service) -> None:
    stop(host)
    service.stage_first_start()
    service.unit_file.write_text(
        f"[Service]\nExecStart=/usr/bin/asd --instance 3 --config-file {service.conf} --fgdaemon\n"
    )
    assert start(host)[1]["state"] == "ready"
    assert service.arguments[:2] == ["--instance", "3"]
    assert str(service.first_conf) in service.arguments


def test_a_stronger_drop_in_keeps_the_server_from_starting_at_all(host: Host, service: Service) -> None:
    stop(host)
    service.stage_first_start()
    stronger = service.drop_in.with_name("zz-local.conf")
    stronger.write_text(f"[Service]\nExecStart=\nExecStart=/usr/bin/asd --config-file {service.conf}\n")
    assert code_of(start(host)) == (3, "first_start_ignored")
    assert service.masked
    assert service.state.joinpath("pids").exists() is False


def test_a_server_that_runs_with_another_conf_is_stopped_and_masked(host: Host, service: Service) -> None:
    service.systemctl("start", "aerospike.service")
    service.stage_first_start()
    assert code_of(start(host)) == (3, "first_start_ignored")
    assert service.masked
    assert service.pid is None


def test_a_server_that_does_not_answer_yet_is_starting(host: Host, service: Service) -> None:
    stop(host)
    host.close()
    code, result = start(host, "normal")
    assert (code, result["state"], result["pid"]) == (0, "starting", service.pid)


def test_a_server_that_fails_is_masked_and_its_last_words_are_told(host: Host, service: Service) -> None:
    log = host.root / "asd.log"
    service.conf.write_text(service.conf.read_text() + f"logging {{\n file {log} {{\n  context any info\n }}\n}}\n")
    says = "CRITICAL (drv_ssd): drive set with unmatched headers"
    service.orders(ends_after_s=0.3, log=str(log), says=says)
    host.close()
    stop(host)
    service.stage_first_start()
    code, result = start(host)
    assert (code, result["error"]["code"]) == (3, "asd_failed")
    assert says in result["error"]["detail"]
    assert service.masked
    assert service.pid is None


def test_a_server_that_fails_between_two_looks_is_not_started_again(host: Host, service: Service) -> None:
    stop(host)
    host.close()
    service.orders(ends_after_s=10.5, code=0)
    assert start(host, "normal")[1]["state"] == "starting"
    until = time.monotonic() + 10
    while service.pid is not None and time.monotonic() < until:
        time.sleep(0.1)
    assert code_of(start(host, "normal")) == (3, "asd_failed")
    assert service.masked
    assert [call.split()[0] for call in service.calls].count("start") == 1


def test_a_server_that_systemd_starts_over_and_over_has_failed(host: Host, service: Service) -> None:
    stop(host)
    host.close()
    service.orders(ends_after_s=0.5)
    (service.state / "restarts").write_text("3")
    assert code_of(start(host, "normal")) == (3, "asd_failed")
    assert service.masked


def test_a_stop_allows_the_next_start(host: Host, service: Service) -> None:
    stop(host)
    assert start(host, "normal")[1]["state"] == "ready"
    assert stop(host)["state"] == "stopped"
    assert start(host, "normal")[1]["state"] == "ready"
    assert service.pid is not None


# -- open-writes ---------------------------------------------------------------------------------------------------


def a_first_start(host: Host, service: Service) -> None:
    stop(host)
    service.stage_first_start()
    assert start(host)[1]["state"] == "ready"
    host.server.namespaces["test"].settings["reject-non-xdr-writes"] = "true"


def test_opening_removes_the_settings_and_proves_both_places(host: Host, service: Service) -> None:
    a_first_start(host, service)
    for _ in range(2):
        code, result = open_writes(host)
        assert code == 0, result
        assert result["open"]
        assert result["namespaces"] == {"test": {"running": "false", "on_disk": "false"}}
    assert host.setting("reject-non-xdr-writes") == "false"
    assert not service.drop_in.exists()
    assert not service.first_conf.exists()
    assert host.call("survey")[1]["asd"]["unit"] == {
        "active": "active", "masked": False, "first_start": False, "enabled": True,
    }  # fmt: skip
    # The process still carries the name of a file that is gone: backups must find the conf that stays.
    assert host.call("capture", Run="b1", Uploads="report")[1]["files"][0]["name"] == "conf/aerospike.conf"


def test_a_passive_namespace_stays_closed(host: Host, service: Service) -> None:
    a_first_start(host, service)
    service.conf.write_text(
        service.conf.read_text().replace("namespace test {", "namespace test {\n reject-non-xdr-writes true")
    )
    assert open_writes(host)[1]["namespaces"] == {"test": {"running": "true", "on_disk": "true"}}
    assert host.setting("reject-non-xdr-writes") == "true"


def test_a_conf_that_would_empty_the_next_start_keeps_writes_closed(host: Host, service: Service) -> None:
    a_first_start(host, service)
    service.conf.write_text(
        service.conf.read_text().replace(f"file {host.file}", f"file {host.file}\n  cold-start-empty true")
    )
    assert code_of(open_writes(host)) == (3, "cold_start_empty_on_disk")
    assert host.setting("reject-non-xdr-writes") == "true"
    assert service.drop_in.exists()


def test_a_server_that_refuses_to_open_is_not_open(host: Host, service: Service) -> None:
    a_first_start(host, service)
    host.server.before_set = lambda *_: "ERROR:4:no"
    assert open_writes(host)[0] == 3
    host.server.before_set = lambda *_: "error-free"
    assert code_of(open_writes(host)) == (5, "not_open")
    assert host.setting("reject-non-xdr-writes") == "true"


def test_settings_that_another_file_still_names_are_not_gone(host: Host, service: Service) -> None:
    a_first_start(host, service)
    other = service.drop_in.with_name("zz-local.conf")
    other.write_text(service.drop_in.read_text())
    assert code_of(open_writes(host)) == (5, "not_open")
    assert service.first_conf.exists()
    assert host.setting("reject-non-xdr-writes") == "true"


def test_an_unknown_namespace_or_a_stopped_server_opens_nothing(host: Host, service: Service) -> None:
    a_first_start(host, service)
    assert code_of(open_writes(host, "test,other")) == (3, "namespace_unknown")
    service.close()
    assert code_of(open_writes(host)) == (5, "asd_not_running")
    assert service.drop_in.exists()


@pytest.mark.parametrize("delay_s", [0.15, 0.4, 0.8, 1.2])
def test_a_start_killed_anywhere_leaves_a_guarded_or_no_server(host: Host, service: Service, delay_s: float) -> None:
    stop(host)
    service.stage_first_start()
    verb = subprocess.Popen(
        host.program("start"),
        env={**host.environment, "SSM_Run": "r1", "SSM_Mode": "first"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(delay_s)
    verb.kill()
    verb.wait()
    if service.pid is not None:
        assert str(service.first_conf) in service.arguments
    code, result = start(host)
    assert (code, result["state"]) == (0, "ready")
    assert str(service.first_conf) in service.arguments
    assert Path(result["conf"]) == service.first_conf
