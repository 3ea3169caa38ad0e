"""A host for tests of the host program: its private tree, its asd, its chronyc, and how to call the program on it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e.host.scripted_info_server import ScriptedInfoServer, ScriptedNamespace

NODE = Path(__file__).resolve().parents[3] / "node"
MODULE, MAIN = "aerokeep_node", "__main__"
TRACKING = "A9FEA97B,169.254.169.123,4,1700000000.0,{correction:.9f},0,0,0,0,0,0.002,0.001,16.0,{leap}\n"
FENCE = "0123456789abcdef" * 2
SMD = '[[97,2],{"key":"test|demo|i|.|I","value":"idx_i","generation":1,"timestamp":1}]'

Result = dict[str, Any]
Answer = tuple[int, Result]


class Host:
    """Everything lies below ``root``; the namespace's data file on ``data``."""

    def __init__(self, root: Path, data: Path, *, conf_extra: str = "") -> None:
        self.root = root
        self.data = data
        self.work = root / "opt"
        (self.work / "smd").mkdir(parents=True)
        (self.work / "smd" / "sindex.smd").write_text(SMD)
        self.file = data / "test.dat"
        self.file.write_bytes(b"x" * 4096)
        self.server = ScriptedInfoServer({"test": ScriptedNamespace(str(self.file))})
        self.conf = root / "aerospike.conf"
        self.conf.write_text(
            f"service {{\n work-directory {self.work}\n}}\n"
            f"network {{\n service {{\n  address 127.0.0.1\n  port {self.server.port}\n }}\n}}\n"
            f"namespace test {{\n {conf_extra}\n storage-engine device {{\n  file {self.file}\n }}\n}}\n"
        )
        self._process(4242, ["asd", "--config-file", str(self.conf)])
        self.bin = root / "bin"
        self.bin.mkdir()
        self.path = f"{self.bin}:{os.environ['PATH']}"
        self.set_clock()
        self.mounts(Path("/proc/self/mountinfo").read_text())
        self.server.answers["get-config:context=service"] = f"work-directory={self.work}"

    def _process(self, pid: int, arguments: list[str]) -> None:
        (self.root / "proc" / str(pid)).mkdir(parents=True)
        (self.root / "proc" / str(pid) / "cmdline").write_bytes("\0".join([*arguments, ""]).encode())

    def mounts(self, text: str) -> None:
        (self.root / "proc" / "self").mkdir(parents=True, exist_ok=True)
        (self.root / "proc" / "self" / "mountinfo").write_text(text)

    def program_on_path(self, name: str, shell: str) -> None:
        script = self.bin / name
        script.write_text("#!/bin/sh\n" + shell)
        script.chmod(0o755)

    def set_clock(self, *, offset_s: float = 0.0, leap: str = "Normal") -> None:
        line = TRACKING.format(correction=-offset_s, leap=leap)
        self.program_on_path("chronyc", f"printf '%s' '{line}'\n")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "AEROKEEP_ROOT": str(self.root), "PATH": self.path}

    def program(self, *arguments: str, program: str | None = None, python: str = sys.executable) -> list[str]:
        """Give the command that runs the host program: its sources, or a packed one."""
        start = f"import runpy, sys; sys.path.insert(0, {str(NODE)!r}); runpy.run_module({MODULE!r}, run_name={MAIN!r})"
        return [python, "-I", *([program] if program else ["-c", start]), *arguments]

    def call(self, verb: str, *, program: str | None = None, python: str = sys.executable, **parameters: str) -> Answer:
        """Run a verb as SSM would; give the exit code and the one object it printed."""
        done = subprocess.run(
            self.program(verb, program=program, python=python),
            env={**self.environment, **{f"SSM_{name}": value for name, value in parameters.items()}},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.count(b"\n") == 1, done.stderr.decode()
        return done.returncode, json.loads(done.stdout)

    def stop(
        self,
        *,
        run: str = "r1",
        lead_s: float = 2.2,
        lease_s: float = 2.0,
        program: str | None = None,
        python: str = sys.executable,
        **changes: str,
    ) -> Answer:
        """Arm a write stop that starts in ``lead_s``; changes replace parameters."""
        start = time.time() + lead_s
        parameters = {
            "Run": run,
            "Token": FENCE,
            "StartAt": f"{start:.3f}",
            "EndAt": f"{start + lease_s:.3f}",
            "Namespaces": "test",
            "Freeze": "none",
            "LetGo": "none",
        }
        return self.call("stop-writes", program=program, python=python, **{**parameters, **changes})

    def resume(self, run: str = "r1", tombstone: str = "no") -> Result:
        code, result = self.call("resume-writes", Run=run, Tombstone=tombstone)
        assert code == 0, result
        return result

    def evidence(self, run: str = "r1", within_s: float = 20.0) -> Result:
        """Wait for the end of a write stop that nobody resumes."""
        file = self.root / "run" / "aerokeep" / run / "evidence.json"
        until = time.monotonic() + within_s
        while not file.exists():
            assert time.monotonic() < until, self.log(run)
            time.sleep(0.02)
        return dict(json.loads(file.read_text()))

    def wait_for_state(self, state: str, run: str = "r1", within_s: float = 20.0) -> Result:
        """Wait until the resident intends something."""
        file = self.root / "run" / "aerokeep" / run / "intent.json"
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if file.exists() and (intent := dict(json.loads(file.read_text())))["state"] == state:
                return intent
            time.sleep(0.01)
        raise AssertionError(self.log(run))

    def log(self, run: str) -> str:
        files = sorted((self.root / "run" / "aerokeep" / run).glob("*.*"))
        return "\n".join(f"{file.name}: {file.read_text()[-2000:]}" for file in files)

    def setting(self, name: str) -> str:
        settings = self.server.namespaces["test"].settings
        return settings.get(name) or settings[f"storage-engine.{name}"]

    def is_as_before(self) -> bool:
        return self.setting("reject-non-xdr-writes") == "false" and self.setting("flush-max-ms") == "1000"

    def close(self) -> None:
        self.server.close()
