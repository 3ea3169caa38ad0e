"""Give each node a wall clock of its own and a ``chronyc`` that reports on it."""

import functools
import mmap
import os
import shutil
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from sandbox.dataplane.plane import DataPlaneError, NodeClock
from sandbox.dataplane.programs import run

_CLOCK_FILE = struct.Struct("=qqqd")  # struct clock_file of node_clock.c
_REFRESH_S = 1.0
_CHRONYC = """\
#!/bin/sh
# chronyc of a sandbox node: answers `chronyc [-n] [-c] tracking` from what the data plane wrote beside it.
file=tracking.txt
for word in "$@"; do
    case "$word" in
    -c) file=tracking.csv ;;
    -n | -m | tracking) ;;
    *) echo "Unrecognized command" >&2; exit 1 ;;
    esac
done
exec cat "${0%/*}/$file"
"""


@functools.cache
def compiler() -> str | None:
    """Find a C compiler, which clocks other than the machine's own need."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class ClockWorks:
    """The clocks of all nodes; keeps the reports on the drifting ones current."""

    def __init__(self, shared: Path) -> None:
        """Keep a folder per node under ``shared``, which the nodes see under the same path."""
        self._shared = shared
        self._library = shared / "node_clock.so"
        self._set: dict[str, tuple[NodeClock, float]] = {}
        self._versions: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Stop keeping the reports current."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def set(self, instance_id: str, clock: NodeClock) -> None:
        """Set a node's clock; its processes see it at once if it had a clock of its own when they were started.

        Raises:
            DataPlaneError: the clock is not the machine's, and there is no compiler to make it with.

        """
        with self._lock:
            if not clock.is_true:
                self._build_library()
            folder = self._shared / instance_id
            folder.mkdir(exist_ok=True)
            program = folder / "chronyc"
            program.write_text(_CHRONYC)
            program.chmod(0o755)
            self._set[instance_id] = (clock, time.time())
            if not clock.is_true or instance_id in self._versions:
                self._write_clock(instance_id)
            self._write_report(instance_id)
            if clock.drift_ppm and self._thread is None:
                self._thread = threading.Thread(target=self._keep_current, name="aerokeep-clocks", daemon=True)
                self._thread.start()

    def forget(self, instance_id: str) -> None:
        """Take away the clock of a node that is no more."""
        with self._lock:
            self._set.pop(instance_id, None)
            self._versions.pop(instance_id, None)
            shutil.rmtree(self._shared / instance_id, ignore_errors=True)

    def environment(self, instance_id: str, path: str) -> dict[str, str]:
        """Give the variables that put a process on the node's clock, its chronyc first on ``path``."""
        folder = self._shared / instance_id
        env = {"PATH": f"{folder}:{path}"}
        if instance_id in self._versions:
            env |= {"LD_PRELOAD": str(self._library), "AEROKEEP_CLOCK": str(folder / "clock")}
        return env

    def _build_library(self) -> None:
        if self._library.exists():
            return
        program = compiler()
        if program is None:
            raise DataPlaneError(
                "no_clock: a clock with offset or drift needs a C compiler (apt install gcc libc6-dev)"
            )
        source = Path(__file__).with_name("node_clock.c")
        run([program, "-shared", "-fPIC", "-O2", "-Wall", "-o", str(self._library), str(source), "-ldl", "-lpthread"])

    def _write_clock(self, instance_id: str) -> None:
        """Write the clock in place, as running processes have it mapped; the version is odd meanwhile."""
        clock, since = self._set[instance_id]
        version = self._versions.get(instance_id, 0) + 2
        values = (int(since * 1e9), int(clock.offset_s * 1e9), clock.drift_ppm * 1e-6)
        path = self._shared / instance_id / "clock"
        if not path.exists():
            path.write_bytes(bytes(_CLOCK_FILE.size))
        with path.open("r+b") as file, mmap.mmap(file.fileno(), _CLOCK_FILE.size) as mapped:
            for number in (version - 1, version):
                mapped[:] = _CLOCK_FILE.pack(number, *values)
        self._versions[instance_id] = version

    def _keep_current(self) -> None:
        while not self._stop.wait(_REFRESH_S):
            with self._lock:
                for instance_id, (clock, _) in self._set.items():
                    if clock.drift_ppm:
                        self._write_report(instance_id)

    def _write_report(self, instance_id: str) -> None:
        clock, since = self._set[instance_id]
        now = time.time()
        offset_s = clock.offset_s + clock.drift_ppm * 1e-6 * (now - since)
        for name, text in tracking(clock, offset_s=offset_s, now=now).items():
            path = self._shared / instance_id / name
            fresh = path.with_name(f".{name}")
            fresh.write_text(text)
            fresh.replace(path)  # readers never see half a file


def tracking(clock: NodeClock, *, offset_s: float, now: float) -> Mapping[str, str]:
    """Write what ``chronyc tracking`` says, as text and as CSV.

    Layout and signs are those of chrony's client.c: "System time" (field 5 of the CSV) is the correction still to
    be made, so it is positive when the host is *slow*: minus (host minus true).
    """
    reported_s = offset_s if clock.reported_offset_s is None else clock.reported_offset_s
    correction = -reported_s
    # Half of the bound from each term: error = root delay / 2 + root dispersion.
    delay, dispersion = clock.error_s, clock.error_s / 2
    reference, name, stratum = ("A9FEA97B", "169.254.169.123", 4) if clock.synchronised else ("00000000", "", 0)
    leap = "Normal" if clock.synchronised else "Not synchronised"
    frequency = clock.drift_ppm
    at = now - 10
    csv = (
        f"{reference},{name},{stratum},{at:.9f},{correction:.9f},{correction:.9f},{abs(correction):.9f},"
        f"{frequency:.3f},0.000,0.010,{delay:.9f},{dispersion:.9f},16.1,{leap}\n"
    )
    rows = {
        "Reference ID": f"{reference} ({name})",
        "Stratum": str(stratum),
        "Ref time (UTC)": time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(at)),
        "System time": f"{abs(correction):.9f} seconds {'slow' if correction > 0 else 'fast'} of NTP time",
        "Last offset": f"{correction:+.9f} seconds",
        "RMS offset": f"{abs(correction):.9f} seconds",
        "Frequency": f"{abs(frequency):.3f} ppm {'fast' if frequency > 0 else 'slow'}",
        "Residual freq": "+0.000 ppm",
        "Skew": "0.010 ppm",
        "Root delay": f"{delay:.9f} seconds",
        "Root dispersion": f"{dispersion:.9f} seconds",
        "Update interval": "16.1 seconds",
        "Leap status": leap,
    }
    return {"tracking.csv": csv, "tracking.txt": "".join(f"{key:<16}: {value}\n" for key, value in rows.items())}


def path_of(env: Mapping[str, str]) -> str:
    """Give the search path of an environment."""
    return env.get("PATH") or os.defpath
