"""Where systemd is: the resident is a transient service, and a timer stands behind it as second line."""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.host.a_host import Host
from tests.e2e.host.a_transfer import TransferHost

SYSTEMD_RUN = """\
echo "$*" >>"{log}"
case "$*" in *--on-active=*) exit 0 ;; esac
while [ "${{1#--}}" != "$1" ]; do
  case $1 in --setenv=*) export "${{1#--setenv=}}" ;; esac
  shift
done
setsid "$@" </dev/null >/dev/null 2>&1 &
"""


def with_systemd(host: Host) -> Path:
    (host.root / "run/systemd/system").mkdir(parents=True)
    log = host.root / "systemd.log"
    host.program_on_path("systemd-run", SYSTEMD_RUN.format(log=log))
    host.program_on_path("systemctl", f'echo "systemctl $*" >>"{log}"\n')
    return log


def test_the_resident_is_a_service_with_a_precise_timer_behind_it(host: Host) -> None:
    log = with_systemd(host)
    code, armed = host.stop()
    assert code == 0
    assert armed["second_line"]
    service, timer = log.read_text().splitlines()
    assert "--unit=aerokeep-lease-r1-01234567" in service
    assert service.endswith("resident r1")
    assert f"--setenv=AEROKEEP_ROOT={host.root}" in service
    assert "--timer-property=AccuracySec=100ms" in timer
    assert timer.endswith("undo r1")
    after_s = float(timer.partition("--on-active=")[2].partition("s ")[0])
    assert after_s > armed["end_at"] - armed["armed_at"], "after the lease, never before it"
    assert host.evidence()["guarded_all"]
    assert host.is_as_before()


def test_the_second_line_undoes_what_killed_processes_left_and_nothing_else(host: Host) -> None:
    log = with_systemd(host)
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    keeper = int(Path(f"/proc/{intent['resident']}/stat").read_text().split()[3])
    for pid in (keeper, intent["resident"]):
        os.kill(pid, signal.SIGKILL)
    assert host.setting("reject-non-xdr-writes") == "true"
    second_line(host, log)
    evidence = host.evidence()
    assert evidence["ended_by"] == "failure"
    assert host.is_as_before()
    second_line(host, log)
    assert host.evidence() == evidence


def test_the_second_line_ends_a_resident_that_still_lives(host: Host) -> None:
    log = with_systemd(host)
    host.stop(lease_s=20.0)
    intent = host.wait_for_state("holding")
    # The private tree shows the resident as the host's /proc would.
    (host.root / "proc" / str(intent["resident"])).symlink_to(f"/proc/{intent['resident']}")
    second_line(host, log)
    assert host.evidence(within_s=1.0)["ended_by"] == "failure"
    assert host.is_as_before()


def second_line(host: Host, log: Path) -> None:
    """Run what the timer would."""
    timer = next(line for line in log.read_text().splitlines() if "--on-active=" in line)
    assert timer.endswith("undo r1")
    subprocess.run(host.program("undo", "r1"), env=host.environment, check=True, timeout=30)


def test_the_job_of_an_export_is_a_service_that_yields_to_all_others(transfer: TransferHost) -> None:
    log = with_systemd(transfer.host)
    assert transfer.do(nice=7)["state"] == "done", transfer.log()
    [service] = log.read_text().splitlines()
    for option in ("--unit=aerokeep-transfer-r1-01234567", "--nice=7", "--property=KillMode=mixed",
                   "--property=CPUWeight=20", "--property=IOWeight=20"):  # fmt: skip
        assert option in service
    assert service.endswith("export-job r1")


def test_a_systemd_that_knows_no_weights_runs_the_job_all_the_same(transfer: TransferHost) -> None:
    log = with_systemd(transfer.host)
    known = (transfer.host.bin / "systemd-run").read_text()
    refusing = 'case "$*" in *CPUWeight*) exit 1 ;; esac\n'
    transfer.host.program_on_path("systemd-run", refusing + known.partition("\n")[2])
    assert transfer.do()["state"] == "done", transfer.log()
    [service] = log.read_text().splitlines()
    assert "--unit=aerokeep-transfer-r1-01234567" in service
