"""Start an Aerospike server on a node of the sandbox: the real ``asd`` where it is on PATH, else the stand-in."""

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.dataplane.plane import DataPlane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
READY_LINE = "service ready: soon there will be cake!"
READY_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Layout:
    """Where a node keeps its two namespaces: ``test`` in a file, ``raw`` on two devices."""

    node_id: str
    private_ip: str
    data_file: str
    raw_devices: tuple[str, ...]
    work_directory: str
    log_file: str
    seeds: tuple[str, ...]


def aerospike_conf(layout: Layout) -> str:
    """Render an ``aerospike.conf`` that suits the stand-in and a real asd 8.1 alike."""
    seeds = "\n".join(f"        mesh-seed-address-port {seed} 3002" for seed in layout.seeds)
    devices = "\n".join(f"        device {device}" for device in layout.raw_devices)
    return f"""service {{
    cluster-name demo
    node-id {layout.node_id}
    work-directory {layout.work_directory}
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
        file {layout.data_file}
        filesize 128M
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
    """A server process and its log as the machine sees it."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_ready(self) -> None:
        """Wait for the line with which asd says that it serves.

        Raises:
            RuntimeError: it ended, or did not say so in time; with the end of its log.

        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            text = self.log.read_text(errors="replace") if self.log.exists() else ""
            if READY_LINE in text:
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"asd ended with {self.process.returncode}: {text[-2000:]}")
            time.sleep(0.05)
        raise RuntimeError(f"asd did not get ready in {READY_TIMEOUT_S:g} s; its log ends: {text[-2000:]}")


def start_server(
    plane: DataPlane, instance_id: str, layout: Layout, *, change: "Callable[[str], str] | None" = None
) -> Server:
    """Write the conf (``change`` has the last word on its text), start the server on the node, and return at once."""
    own, seen = plane.host_dir(instance_id), plane.seen_as(instance_id)
    for folder in ("etc", "log", "smd"):
        (own / folder).mkdir(parents=True, exist_ok=True)
    log = own / Path(layout.log_file).relative_to(seen)
    log.unlink(missing_ok=True)
    text = aerospike_conf(layout)
    (own / "etc" / "aerospike.conf").write_text(change(text) if change else text)
    conf = f"{seen}/etc/aerospike.conf"
    process = _spawn(plane, instance_id, conf, own / "log" / "console.log")
    return Server(process, log)


def _spawn(plane: DataPlane, instance_id: str, conf: str, console: Path) -> subprocess.Popen[bytes]:
    with console.open("ab") as words:
        if real := shutil.which("asd"):
            argv: Sequence[str] = [real, "--config-file", conf, "--fgdaemon"]
            return plane.spawn(instance_id, argv, stdout=words, stderr=words)
        # The host program finds the server by the name in argv[0], as it finds the real one.
        argv = ["asd", "-m", "sandbox.standin", "--config-file", conf]
        environment = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
        return plane.spawn(
            instance_id,
            argv,
            executable=sys.executable,
            env=environment,
            cwd=str(REPOSITORY),
            stdout=words,
            stderr=words,
        )
