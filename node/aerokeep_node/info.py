"""Aerospike's info protocol by socket; only the literal ``ok`` is success, whatever the server's version."""

import select
import socket
import ssl
import struct
import time
from typing import Dict, List, Optional, Tuple

from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.tls import TlsFiles, is_expected, tls_context

_HEADER = struct.Struct(">Q")
_VERSION_AND_TYPE = (2 << 56) | (1 << 48)
_LENGTH_MASK = (1 << 48) - 1
LONGEST_REPLY_BYTES = 16 * 1024 * 1024
CONNECT_TIMEOUT_S = 2.0
ASK_TIMEOUT_S = 3.0


CREDENTIALS = "put user and password into /etc/aerospike/astools.conf (root, mode 600), and asinfo on PATH"


class InfoError(Exception):
    """The server answered with an error instead of a value."""


class InfoSilenceError(Exception):
    """No answer: connection refused, dropped, or too slow."""


def encode_request(command: str) -> bytes:
    """Frame one command."""
    body = command.encode("utf-8") + b"\n"
    return _HEADER.pack(_VERSION_AND_TYPE | len(body)) + body


def parse_reply(body: bytes, command: str) -> str:
    """Give the value of ``command<TAB>value<LF>``."""
    text = body.decode("utf-8", "replace")
    name, tab, value = text.rstrip("\n").partition("\t")
    if not tab:
        # Servers answer a bare name to a command without a value.
        return "" if name == command else name
    return value


def error_of(value: str) -> Optional[str]:
    """Give the error in a reply, if any: ``ERROR:4:text`` (≥ 7.2), ``ERROR::text``, ``FAIL:…``, bare ``error``."""
    head = value.strip()
    if head.lower() in ("error", "fail"):
        return head
    upper = head.upper()
    if upper.startswith(("ERROR:", "FAIL:", "ERROR=")) or head.startswith("error "):
        return head
    return None


def pairs_of(value: str, separator: str = ";") -> List[Tuple[str, str]]:
    """Split ``a=1;b=2``, keeping order and repeated keys (storage paths repeat before server 4.3)."""
    found = []
    for part in value.split(separator):
        key, equals, rest = part.partition("=")
        if equals:
            found.append((key, rest))
    return found


class InfoConnection:
    """One connection; a request whose reply is still awaited can be polled instead of waited for."""

    gives_up_after_s: Optional[float] = None
    """After so long without an answer there will be none; None: a server that hangs may still answer."""

    def __init__(self, address: str, port: int, tls: Optional[TlsFiles] = None) -> None:
        self.address = address
        self.port = port
        self._tls = tls
        self._socket: Optional[socket.socket] = None
        self._buffer = b""

    def open(self, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Connect unless connected; a connection the server has closed meanwhile is replaced."""
        if self._socket is not None and not self._closed_by_server():
            return
        self.close()
        try:
            self._socket = socket.create_connection((self.address, self.port), timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                self._socket = self._secured(self._socket, self._tls)
        except (OSError, ValueError) as error:
            self.close()
            raise InfoSilenceError(f"{self.address}:{self.port}: {error}") from error

    @staticmethod
    def _secured(plain: socket.socket, files: TlsFiles) -> ssl.SSLSocket:
        try:
            secured = tls_context(files).wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        if not is_expected(files, secured.getpeercert(binary_form=True)):
            secured.close()
            raise OSError(f"the certificate presented is not that of {files.certificate}")
        return secured

    def patience(self, timeout_s: float) -> float:
        """Say how long an answer must be waited for that a socket would give within ``timeout_s``."""
        return timeout_s

    def close(self) -> None:
        """Drop the connection and whatever was awaited on it."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._buffer = b""

    def send(self, command: str) -> None:
        """Send one request without waiting for its reply."""
        self.open()
        assert self._socket is not None  # noqa: S101 - open() has set it or raised
        try:
            self._socket.sendall(encode_request(command))
        except OSError as error:
            self.close()
            raise InfoSilenceError(f"sending {command!r}: {error}") from error

    def poll(self, command: str, timeout_s: float) -> Optional[str]:
        """Give the reply to the request sent last, or None if it has not come within ``timeout_s``."""
        until = time.monotonic() + timeout_s
        while True:
            body = self._whole_reply()
            if body is not None:
                return parse_reply(body, command)
            left_s = until - time.monotonic()
            if not self._receive(max(0.0, left_s)):
                return None

    def ask(self, command: str, timeout_s: float = ASK_TIMEOUT_S) -> str:
        """Send and wait; a late reply drops the connection, so that it is never taken for the next one's.

        Raises:
            InfoSilenceError: no reply in time.
            InfoError: an error instead of a value.

        """
        self.send(command)
        value = self.poll(command, self.patience(timeout_s))
        if value is None:
            self.close()
            raise InfoSilenceError(f"no reply to {command!r} within {timeout_s} s")
        error = error_of(value)
        if error is not None:
            raise InfoError(error)
        return value

    def ask_pairs(self, command: str, timeout_s: float = ASK_TIMEOUT_S) -> Dict[str, str]:
        """Ask for ``a=1;b=2`` (of repeated keys the last one wins)."""
        return dict(pairs_of(self.ask(command, timeout_s)))

    def _whole_reply(self) -> Optional[bytes]:
        if len(self._buffer) < _HEADER.size:
            return None
        (head,) = _HEADER.unpack_from(self._buffer)
        size_bytes = head & _LENGTH_MASK
        if head & ~_LENGTH_MASK != _VERSION_AND_TYPE or size_bytes > LONGEST_REPLY_BYTES:
            # A TLS port, or no Aerospike at all: its bytes are not a frame of ours.
            self.close()
            raise InfoSilenceError(f"what answers on {self.address}:{self.port} is not the info protocol")
        end = _HEADER.size + size_bytes
        if len(self._buffer) < end:
            return None
        body, self._buffer = self._buffer[_HEADER.size : end], self._buffer[end:]
        return body

    def _receive(self, timeout_s: float) -> bool:
        """Take in what has come; False when nothing came in time."""
        if self._socket is None:
            raise InfoSilenceError(f"the connection to {self.address}:{self.port} is closed")
        # What TLS has decrypted already, no select tells of.
        decrypted = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if not decrypted and not select.select([self._socket], [], [], timeout_s)[0]:
            return False
        try:
            chunk = self._socket.recv(65536)
        except OSError as error:
            self.close()
            raise InfoSilenceError(f"{self.address}:{self.port}: {error}") from error
        if not chunk:
            self.close()
            raise InfoSilenceError(f"{self.address}:{self.port} dropped the connection")
        self._buffer += chunk
        return True

    def _closed_by_server(self) -> bool:
        if self._socket is None:
            return True
        readable, _, _ = select.select([self._socket], [], [], 0)
        if not readable:
            return False
        if not isinstance(self._socket, ssl.SSLSocket):
            return True  # nothing is awaited when this is asked, so readable means end of stream
        return _tls_has_ended(self._socket)


def _tls_has_ended(connection: ssl.SSLSocket) -> bool:
    """Tell the end from what TLS itself sends, such as tickets after the handshake."""
    timeout_s = connection.gettimeout()
    connection.setblocking(False)
    try:
        connection.recv(1)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(timeout_s)
    return True  # the end, or what nobody has asked for


def is_security_error(error: str) -> bool:
    """Whether the server wants a login (``ERROR:80:not authenticated`` and its older forms)."""
    lowered = error.lower()
    return "authenticat" in lowered or lowered.startswith("error:80") or "security" in lowered


def refuse(error: Exception) -> RefusalError:
    """Turn what the protocol raised into the refusal that a verb ends with."""
    if isinstance(error, InfoError) and is_security_error(str(error)):
        detail = f"the server wants a login ({error}): {CREDENTIALS}"
        return RefusalError("security_enabled", detail)
    if isinstance(error, InfoError):
        return RefusalError("asd_refused", str(error))
    return NotNowError("asd_silent", str(error))
