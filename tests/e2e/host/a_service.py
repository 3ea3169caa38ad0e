"""The server of a test host as a systemd service: its unit, its conf where packages put it, and what it shall do."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.host.a_host import Host

SCRIPT = Path(__file__).with_name("scripted_systemctl.py")
COMMAND = "/usr/bin/asd $ASD_OPTIONS --config-file $ASD_CONFIG_FILE --fgdaemon"
UNIT = f"[Service]\nTimeoutSec=600\nExecStart={COMMAND}\n"


class Service:
    """``aerospike.service`` of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.state = host.root / "systemd"
        self.state.mkdir()
        self.unit_file = host.root / "usr/lib/systemd/system/aerospike.service"
        self.unit_file.parent.mkdir(parents=True)
        self.unit_file.write_text(UNIT)
        self.mask_link = host.root / "etc/systemd/system/aerospike.service"
        self.drop_in = host.root / "etc/systemd/system/aerospike.service.d/aerokeep-first-start.conf"
        self.conf = host.root / "etc/aerospike/aerospike.conf"
        self.first_conf = self.conf.with_name("aerokeep-first-start.conf")
        self.conf.parent.mkdir(parents=True)
        self.conf.write_text(host.conf.read_text())
        (host.root / "proc/4242/cmdline").unlink()
        host.program_on_path("systemctl", f'exec {sys.executable} -I {SCRIPT} {host.root} "$@"\n')

    def orders(self, **orders: object) -> None:
        (self.state / "orders.json").write_text(json.dumps(orders))

    def fails(self, verb: str, text: str) -> None:
        (self.state / "fails").write_text(f"{verb} {text}\n")

    def systemctl(self, *arguments: str) -> None:
        subprocess.run([str(self.host.bin / "systemctl"), *arguments], check=True, capture_output=True)

    @property
    def masked(self) -> bool:
        return self.mask_link.is_symlink()

    @property
    def calls(self) -> list[str]:
        file = self.state / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def pid(self) -> int | None:
        """The process that lives."""
        for pid in self._pids():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return None

    @property
    def arguments(self) -> list[str]:
        return Path(f"/proc/{self.pid}/cmdline").read_text().split("\0")[2:-1]

    def _pids(self) -> list[int]:
        file = self.state / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def stage_first_start(self) -> None:
        """Put the two files of a first start by hand."""
        text = self.conf.read_text().replace("namespace test {", "namespace test {\n reject-non-xdr-writes true")
        self.first_conf.write_text(text)
        self.drop_in.parent.mkdir(parents=True, exist_ok=True)
        command = f"/usr/bin/asd --config-file {self.first_conf} --cold-start --fgdaemon"
        self.drop_in.write_text(f"[Service]\nExecStart=\nExecStart={command}\n")

    def close(self) -> None:
        while (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
