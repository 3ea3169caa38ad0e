"""What time it is on this host, how far that is from the true time, and how sure that is."""

import ctypes
import os
import subprocess
import time
from dataclasses import dataclass
from typing import Dict, Optional, Union

CHRONYC = ("chronyc", "-n", "-c", "tracking")
CHRONYC_TIMEOUT_S = 3.0
LOCAL_REFERENCE = "7F7F0101"
"""chronyd's ``local`` reference: synchronised to nothing but itself."""
_TRACKING_FIELDS = 14
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000
UNKNOWN_ERROR_S = 16.0
"""NTP's own bound for "no idea" (MAXDISP)."""


@dataclass(frozen=True)
class ClockReading:
    """Offset is host minus true time; the true offset lies within ``error_s`` of it if ``synchronised``."""

    source: str
    synchronised: bool
    offset_s: float
    error_s: float
    at: float

    def as_json(self) -> Dict[str, Union[str, bool, float]]:
        """Shape it as CLOCK of the contract."""
        return {
            "source": self.source,
            "synchronised": self.synchronised,
            "offset_s": round(self.offset_s, 9),
            "error_s": round(self.error_s, 9),
            "at": self.at,
        }


def read_clock() -> ClockReading:
    """Ask chronyd, else the kernel."""
    return _from_chronyc() or _from_kernel() or ClockReading("none", False, 0.0, UNKNOWN_ERROR_S, time.time())


def monotonic_s() -> float:
    """Seconds that no step of the wall clock touches and that go on during a suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def parse_tracking(line: str, at: float) -> Optional[ClockReading]:
    """Parse ``chronyc -c tracking``; None where it is not that.

    Field 5 (system time) is what chronyd must add to the host's clock: positive says "slow of NTP time"
    (chrony, client.c), so host minus true time is its negative. Bound as in chrony's manual: dispersion + delay / 2.
    """
    fields = line.strip().split(",")
    if len(fields) < _TRACKING_FIELDS:
        return None
    try:
        correction_s, root_delay_s, root_dispersion_s = float(fields[4]), float(fields[10]), float(fields[11])
    except ValueError:
        return None
    # "Not synchronised" in chronyc; older builds wrote it with a z.
    unsynchronised = fields[13].strip().lower().startswith("not sync") or fields[0] in ("00000000", LOCAL_REFERENCE)
    return ClockReading(
        "chronyc", not unsynchronised, 0.0 - correction_s, root_dispersion_s + abs(root_delay_s) / 2, at
    )


def _from_chronyc() -> Optional[ClockReading]:
    # Under systemd-run and in the SSM agent's environment PATH may be bare; chronyc lives in these.
    environment = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin:/usr/local/bin")
    try:
        done = subprocess.run(
            CHRONYC,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=CHRONYC_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    return parse_tracking(done.stdout.decode("ascii", "replace"), time.time())


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _from_kernel() -> Optional[ClockReading]:
    timex = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    pending_s = timex.offset / (1e9 if timex.status & _STA_NANO else 1e6)
    error_s = timex.maxerror / 1e6 + abs(pending_s)
    synchronised = not timex.status & _STA_UNSYNC
    return ClockReading("adjtimex", synchronised, 0.0 - pending_s, error_s, time.time())
