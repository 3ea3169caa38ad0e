"""A test host that exports and imports: stand-in tools on its PATH, a folder for a vault, and orders to send."""

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.host.a_host import Answer, Host
from tests.e2e.host.a_store import FileStore

FAKE = Path(__file__).with_name("fake_tool.py")
BUCKET = "vault-bucket"
PREFIX = "clusters/demo/exports/e1"
TOKEN = "0123456789abcdef"  # noqa: S105 - it only tells orders apart
OVER = ("done", "failed", "cancelled", "dead")

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda content: subprocess.run(["zstd", "-qc"], input=content, capture_output=True, check=True).stdout,
    "none": bytes,
}

Status = dict[str, Any]


class TransferHost:
    """One host; ``fakes`` says what its tools shall do."""

    def __init__(self, host: Host, store: FileStore) -> None:
        self.host = host
        self.store = store
        self.vault = host.root / "vault" / BUCKET
        self.vault.mkdir(parents=True)
        self.programs: Path | None = None
        self.python = sys.executable
        self.fakes()
        for name in ("asbackup", "asrestore", "aws"):
            host.program_on_path(name, f'exec {sys.executable} -I -S {FAKE} {host.root} {name} "$@"\n')

    def fakes(self, **orders: Any) -> None:  # noqa: ANN401 - whatever the stand-ins understand
        self._fakes = {name.replace("__", " "): value for name, value in orders.items()}
        (self.host.root / "fakes.json").write_text(json.dumps(self._fakes))

    @property
    def calls(self) -> list[dict[str, Any]]:
        file = self.host.root / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def calls_of(self, name: str, **having: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - whatever they log
        calls = [call for call in self.calls if call["name"] == name]
        return [call for call in calls if all(call.get(field) == value for field, value in having.items())]

    # -- orders ----------------------------------------------------------------------------------------------------

    def order(self, kind: str = "export", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
        order: dict[str, Any] = {
            "kind": kind, "run": "r1", "token": TOKEN,
            "server": {"address": "127.0.0.1", "port": self.host.server.port},
            "bucket": BUCKET, "region": "eu-central-1", "prefix": PREFIX,
            "parts": [self.part()],
            "mode": "stream", "directory": "/var/lib/aerokeep/transfer",
            "at_once": 1, "parallel": 2, "sets": [], "modified_after": None, "modified_before": None,
            "records_per_second": 0, "bandwidth_mibps": 0, "nice": 10, "prefer_rack": None,
            "compression": "gzip", "encryption": None, "file_mib": 250, "needed_mib": 0,
            "begin_at": None, "end_at": None, "silence_s": 1800,
        }  # fmt: skip
        if kind == "import":
            order.update({"write": "unique", "extra_ttl_s": 0, "indexes_last": True})
        if kind == "verify":
            order.update({"sample": None})
        order.update(changes)
        if kind == "verify":
            order["parts"] = [{"partitions": None, **part} for part in order["parts"]]
        return order

    def part(self, name: str = "test-00", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
        part = {"name": name, "namespace": "test", "partitions": None, "metadata": True, "expected_bytes": 1000}
        return {**part, **changes}

    def call_verb(self, verb: str, **parameters: str) -> Answer:
        """Run a verb from its sources, or from the program that its document carries."""
        program = str(self.programs / f"{verb}.pyz") if self.programs else None
        return self.host.call(verb, program=program, python=self.python, **parameters)

    def call(self, **changes: Any) -> Answer:  # noqa: ANN401 - any field of an order
        order = self.order(**changes)
        verb = "export" if order["kind"] in ("export", "estimate") else "import"
        return self.call_verb(verb, Run=order["run"], Spec=self.store.order(order))

    def begin(self, **changes: Any) -> Status:  # noqa: ANN401 - any field of an order
        code, status = self.call(**changes)
        assert code == 0, (status, self.log())
        return status

    def refusal_code(self, **changes: Any) -> str:  # noqa: ANN401 - any field of an order
        code, result = self.call(**changes)
        assert code != 0, result
        return str(result["error"]["code"])

    def refusal(self, **changes: Any) -> tuple[int, str]:  # noqa: ANN401 - any field of an order
        code, result = self.call(**changes)
        assert not result["ok"], result
        assert not self.calls_of("asbackup", zone="UTC")
        return code, str(result["error"]["code"])

    # -- what becomes of them --------------------------------------------------------------------------------------

    def status(self, run: str = "r1") -> Status:
        code, status = self.call_verb("status", Run=run)
        assert code == 0, status
        return status

    def cancel(self, run: str = "r1") -> Status:
        code, status = self.call_verb("cancel", Run=run)
        assert code == 0, status
        return status

    def progress(self, run: str = "r1") -> Status:
        """Look without being heard."""
        return dict(json.loads((self.host.root / "run/aerokeep" / run / "progress.json").read_text()))

    def end(self, run: str = "r1", within_s: float = 20.0) -> Status:
        """Wait for the end, and give the status then."""
        until = time.monotonic() + within_s
        while self.progress(run)["state"] not in OVER:
            assert time.monotonic() < until, (self.progress(run), self.log(run))
            time.sleep(0.05)
        until = time.monotonic() + 5.0
        while self.processes():
            assert time.monotonic() < until, (self.processes(), self.log(run))
            time.sleep(0.02)
        return self.status(run)

    def do(self, **changes: Any) -> Status:  # noqa: ANN401 - any field of an order
        self.begin(**changes)
        return self.end(str(changes.get("run", "r1")))

    def error(self, **changes: Any) -> str:  # noqa: ANN401 - any field of an order
        """Let an order fail, and give the code of its first part's error."""
        status = self.do(**changes)
        assert status["state"] == "failed", (status, self.log())
        return str(status["parts"][0]["error"]["code"])

    def wait_for(self, file: str, within_s: float = 20.0) -> None:
        until = time.monotonic() + within_s
        while not (self.host.root / file).exists():
            assert time.monotonic() < until, (self.progress(), self.log())
            time.sleep(0.02)

    def log(self, run: str = "r1") -> str:
        return self.host.log(run)

    # -- traces ----------------------------------------------------------------------------------------------------

    @property
    def objects(self) -> list[str]:
        """The names of what is in the vault, without the proof that it can be reached."""
        names = (path.name for path in (self.vault / PREFIX).glob("*")) if (self.vault / PREFIX).exists() else ()
        return sorted(name for name in names if not name.startswith("begun."))

    def put_export(self, contents: list[bytes], compressed: str = "gzip", name: str = "test-00") -> dict[str, Any]:
        """Put the files of a part and their listing into the vault; give the part as an import order names it."""
        folder = self.vault / PREFIX
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, content in enumerate(contents, 1):
            file = folder / f"{name}.{number:05d}.asb"
            file.write_bytes(PACKED[compressed](content))
            files.append({**self.described(file.name), "compressed": compressed})
        (folder / f"{name}.files.json").write_text(json.dumps(files))
        listing = self.described(f"{name}.files.json")
        del listing["size"]
        return {"name": name, "namespace": "test", "target": "test", "listing": listing, "skip": 0, "metadata": True}

    def uri(self, name: str) -> str:
        return f"s3://{BUCKET}/{PREFIX}/{name}"

    def described(self, name: str) -> dict[str, Any]:
        content = (self.vault / PREFIX / name).read_bytes()
        return {"key": f"{PREFIX}/{name}", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

    def listing(self, name: str) -> list[dict[str, Any]]:
        return list(json.loads((self.vault / PREFIX / name).read_text()))

    def lines(self, name: str) -> list[str]:
        content = (self.vault / PREFIX / name).read_bytes()
        return (gzip.decompress(content) if name.endswith(".gz") else content).decode().splitlines()

    def without(self, program: str) -> None:
        """Take a program away, wherever else the machine has one."""
        folder = self.host.root / "few"
        folder.mkdir()
        for name in ("sh", "gzip", "cat", "ionice", "chronyc", "asbackup", "asrestore", "aws"):
            found = shutil.which(name, path=self.host.environment["PATH"])
            if found is not None and name != program:
                (folder / name).symlink_to(found)
        self.host.path = str(folder)

    def processes(self) -> list[str]:
        """Give every process of this host that is not a test's own call of a verb."""
        return [" ".join(arguments) for _, arguments in self._processes()]

    def job_pids(self) -> list[int]:
        return [pid for pid, arguments in self._processes() if arguments[-2:-1] in (["export-job"], ["import-job"])]

    def worker_pid(self) -> int:
        """Give the only worker's process."""
        [pid] = [pid for pid in self.job_pids() if pid != self.progress()["pid"]]
        return pid

    def kill_job(self) -> None:
        """Kill the job alone, and wait until whatever was its own has gone too."""
        os.kill(self.progress()["pid"], signal.SIGKILL)
        until = time.monotonic() + 5.0
        while left := self.processes():
            assert time.monotonic() < until, left
            time.sleep(0.02)

    def _processes(self) -> Iterator[tuple[int, list[str]]]:
        mark = f"AEROKEEP_ROOT={self.host.root}".encode()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                    arguments = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
                    if arguments:
                        yield int(folder.name), arguments

    @property
    def spool(self) -> Path:
        return self.host.root / "var/lib/aerokeep/transfer"

    def close(self) -> None:
        for pid in self.job_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
