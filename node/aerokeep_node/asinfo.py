"""Info through the host's own ``asinfo``, where the server wants a login: it has the bcrypt that a password needs.

Neither its exit code nor its text is taken for success: what it prints goes through the same judgement as a reply. Each
question is a program of its own, so it is slower than a socket. It was never tried against a real Enterprise server.
"""

import os
import select
import shutil
import signal
import subprocess
import time
from typing import Optional

from aerokeep_node.info import InfoConnection, InfoSilenceError, error_of

ASINFO = "asinfo"
LEAST_PATIENCE_S = 1.5
"""So long it may take to start and to log in."""
END_WAIT_S = 1.0
CONNECTION_ERRORS = ("Not able to connect any cluster", "Could not connect to node")
LONGEST_REPLY_BYTES = 16 * 1024 * 1024


class AsinfoConnection(InfoConnection):
    """Like a connection; a question that is given up is a program that is ended."""

    gives_up_after_s = 6.0
    """Its own limit is 5 s, but for TLS, where it has none."""

    def __init__(self, address: str, port: int, astools: str) -> None:
        super().__init__(address, port)
        self._astools = astools
        self._process: Optional["subprocess.Popen[bytes]"] = None
        self._said = b""

    def open(self, timeout_s: float = 0.0) -> None:
        """See that there is such a program; it connects when it is asked something."""
        del timeout_s
        if shutil.which(ASINFO) is None:
            raise InfoSilenceError(f"{ASINFO} is not on PATH: the server wants a login, which it would do")

    def patience(self, timeout_s: float) -> float:
        """Wait longer than for a socket."""
        return max(timeout_s, LEAST_PATIENCE_S)

    def close(self) -> None:
        """End what is still asking."""
        process, self._process, self._said = self._process, None, b""
        if process is None:
            return
        if process.poll() is None:
            # It is a wrapper around another program.
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def send(self, command: str) -> None:
        """Start to ask."""
        self.close()
        line = [ASINFO, "--only-config-file", self._astools, "-h", self.address, "-p", str(self.port), "-v", command]
        try:
            self._process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise InfoSilenceError(f"{ASINFO}: {error}") from error

    def poll(self, command: str, timeout_s: float) -> Optional[str]:
        """Give what it has said, once it has ended."""
        del command
        process = self._process
        if process is None or process.stdout is None:
            raise InfoSilenceError(f"{ASINFO} was not asked")
        until_s = time.monotonic() + timeout_s
        while True:
            readable, _, _ = select.select([process.stdout], [], [], max(0.0, until_s - time.monotonic()))
            if not readable:
                return None
            chunk = os.read(process.stdout.fileno(), 65536)
            self._said += chunk
            if not chunk:
                return self._judged(process)
            if len(self._said) > LONGEST_REPLY_BYTES:
                self.close()
                raise InfoSilenceError(f"{ASINFO} says more than any reply")

    def _judged(self, process: "subprocess.Popen[bytes]") -> str:
        said = self._said.decode("utf-8", "replace").strip()
        try:
            code = process.wait(END_WAIT_S)
        except subprocess.TimeoutExpired:
            code = -1
        self.close()
        if any(text in said for text in CONNECTION_ERRORS):
            raise InfoSilenceError(said[:200])
        if code != 0 and error_of(said) is None:
            raise InfoSilenceError(f"{ASINFO} ended with {code}: {said[:200]}")
        return said
