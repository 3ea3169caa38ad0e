"""An Aerospike server on a node of the sandbox: its conf, and its service."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.dataplane.plane import DataPlane

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[1]
READY_LINE = "service ready: soon there will be cake!"
READY_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.5
UNIT = "aerospike"
LOG = "log/aerospike.log"


@dataclass(frozen=True)
class Layout:
    """Where a node keeps its two namespaces: ``test`` in a file, ``raw`` on two devices."""

    node_id: str | None
    """``None``: the server takes one from its network interface."""
    private_ip: str
    data_file: str
    raw_devices: tuple[str, ...]
    work_directory: str
    log_file: str
    seeds: tuple[str, ...]
    data_device: str | None = None
    """Where ``test`` is kept instead, on machines that can't mount."""


def aerospike_conf(layout: Layout) -> str:
    """Render an ``aerospike.conf`` that suits the stand-in and a real asd 8.1 alike."""
    seeds = "\n".join(f"        mesh-seed-address-port {seed} 3002" for seed in layout.seeds)
    devices = "\n".join(f"        device {device}" for device in layout.raw_devices)
    node_id = f"    node-id {layout.node_id}\n" if layout.node_id else ""
    test = f"        file {layout.data_file}\n        filesize 128M"
    if layout.data_device:
        test = f"        device {layout.data_device}"
    return f"""service {{
    cluster-name demo
{node_id}    work-directory {layout.work_directory}
    proto-fd-max 1024
}}
logging {{
    file {layout.log_file} {{
        context any info
    }}
}}
network {{
    service {{
        address {layout.private_ip}
        access-address {layout.private_ip}
        port 3000
    }}
    heartbeat {{
        mode mesh
        address {layout.private_ip}
        port 3002
{seeds}
        interval 150
        timeout 10
    }}
    fabric {{
        address {layout.private_ip}
        port 3001
    }}
    admin {{
        address {layout.private_ip}
        port 3003
    }}
}}
namespace test {{
    replication-factor 2
    storage-engine device {{
{test}
    }}
}}
namespace raw {{
    replication-factor 2
    storage-engine device {{
{devices}
    }}
}}
"""


@dataclass
class Server:
    """The server of a node as its operator has it: a service that may run or not, and its log."""

    plane: DataPlane
    instance_id: str
    log_file: str = LOG
    """Below the node's own folder."""

    @property
    def log(self) -> Path:
        """The log as the machine sees it now: a boot gives the node another root."""
        return self.plane.host_dir(self.instance_id) / self.log_file

    def wait_ready(self) -> None:
        """Wait for the line with which asd says that it serves; after a boot that of the life before is there too.

        Raises:
            RuntimeError: it ended, or did not say so in time; with the end of its log.

        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        looked_at = time.monotonic()
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace") if self.log.exists() else ""
            if READY_LINE in text:
                return
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                looked_at = time.monotonic()
                if not self.runs:
                    raise RuntimeError(f"asd ended: {self._words()} {text[-2000:]}")
            time.sleep(0.05)
        raise RuntimeError(f"asd did not get ready in {READY_TIMEOUT_S:g} s; its log ends: {text[-2000:]}")

    @property
    def runs(self) -> bool:
        """Whether the service is active."""
        return self.systemctl("is-active", UNIT)[1].strip() == "active"

    def start(self) -> None:
        """Start it unless it runs, and return at once; its log begins anew, so that `wait_ready` sees no old line.

        Raises:
            RuntimeError: systemctl refuses, as it does for a masked unit.

        """
        if self.runs:
            return
        self.log.unlink(missing_ok=True)
        code, words = self.systemctl("start", UNIT)
        if code != 0:
            raise RuntimeError(f"asd was not started: {words}")

    def stop(self) -> None:
        """Let it shut down cleanly, and wait for that."""
        self.systemctl("stop", UNIT)

    def crash(self) -> None:
        """Kill it where it stands."""
        self.systemctl("kill", "--signal=SIGKILL", UNIT)

    def systemctl(self, *argv: str) -> tuple[int, str]:
        """Run the node's `systemctl` → exit code and what it said."""
        return self._run("systemctl", *argv)

    def _run(self, *argv: str) -> tuple[int, str]:
        process = self.plane.spawn(
            self.instance_id, argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        words, _ = process.communicate()
        return process.returncode, words.decode(errors="replace")

    def _words(self) -> str:
        return self._run("journalctl", "-u", UNIT, "-n", "20")[1]


def start_server(
    plane: DataPlane, instance_id: str, layout: Layout, *, change: "Callable[[str], str] | None" = None
) -> Server:
    """Write the conf (``change`` has the last word on its text), start the service on the node, and return at once."""
    server = Server(plane, instance_id, str(Path(layout.log_file).relative_to(plane.seen_as(instance_id))))
    server.stop()  # what the boot has started has no conf, and may not have found that out yet
    server.log.parent.mkdir(parents=True, exist_ok=True)
    text = aerospike_conf(layout)
    _write_through(plane.etc_dir(instance_id) / "aerospike/aerospike.conf", change(text) if change else text)
    server.start()
    return server


def _write_through(path: Path, text: str) -> None:
    """Write as a deployment does that ends with a sync: a power loss later must not find an empty conf."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
