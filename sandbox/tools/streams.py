"""What lies between a tool and its file: zstd, then AES in counter mode, each if asked for.

An encrypted file begins with the encrypted counter; its successors then encrypt the rest. The key is the SHA-256 of the
private key in DER (from a PEM file) or of the bytes that a variable holds in base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 16
_CHUNK_BYTES = 1 << 16
_KEY_BYTES = {"aes128": 16, "aes256": 32}


class KeyUnusableError(ValueError):
    """The encryption key can't be had."""


@dataclass(frozen=True)
class Coding:
    """How a file's text is coded."""

    compress: bool = False
    level: int = 3
    key: bytes | None = None


def key_of(mode: str, *, file: str | None, variable: str | None) -> bytes:
    """Derive the AES key.

    Raises:
        KeyUnusableError: exactly one source must be given, and hold a key.

    """
    if (file is None) == (variable is None):
        raise KeyUnusableError("either --encryption-key-file or --encryption-key-env must be given")
    material = _from_file(file) if file is not None else _from_environment(variable or "")
    return hashlib.sha256(material).digest()[: _KEY_BYTES[mode]]


def _from_file(path: str) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - only who encrypts waits for it

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise KeyUnusableError(f'Could not open private key file "{path}"') from error
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise KeyUnusableError("Unable to parse private key, make sure the key is in PEM format") from error
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    try:
        return key.private_bytes(serialization.Encoding.DER, form, plain)
    except ValueError:  # kinds of key that have no older form
        return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain)


def _from_environment(name: str) -> bytes:
    value = os.environ.get(name)
    if value is None:
        raise KeyUnusableError(f"Environment variable {name} not found")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise KeyUnusableError(f"{name} is not base64") from error


def _counter(key: bytes, first: bytes) -> Any:  # noqa: ANN401 - the library's own type
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - as above

    following = (int.from_bytes(first, "big") + 1) % (1 << 128)
    return Cipher(algorithms.AES(key), modes.CTR(following.to_bytes(_BLOCK_BYTES, "big"))).encryptor()


def _one_block(key: bytes) -> Any:  # noqa: ANN401 - the library's own type
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - as above

    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - one random block, as the real tool does it


class Sink:
    """A file that is being written."""

    def __init__(self, file: BinaryIO, coding: Coding) -> None:
        """Take an open file, which `close` closes too.

        Raises:
            OSError: as every write: the disk is full, the reader has gone.

        """
        self.written = 0
        self._file = file
        self._cipher: Any = None
        self._packer: Any = None
        if coding.key is not None:
            first = struct.pack(">I", int(time.time()) & 0xFFFFFFFF) + os.urandom(12)
            self._cipher = _counter(coding.key, first)
            self._put(_one_block(coding.key).encryptor().update(first))
        if coding.compress:
            import zstandard  # noqa: PLC0415 - only who compresses waits for it

            self._packer = zstandard.ZstdCompressor(level=coding.level).compressobj()

    def write(self, text: bytes) -> None:
        """Code and write."""
        if self._packer is not None:
            text = self._packer.compress(text)
        if text:
            self._put(self._cipher.update(text) if self._cipher else text)

    def _put(self, raw: bytes) -> None:
        self._file.write(raw)
        self.written += len(raw)

    def flush(self) -> None:
        """Let the system have what is buffered."""
        self._file.flush()

    def close(self) -> None:
        """Write the end and close."""
        if self._packer is not None:
            rest = self._packer.flush()
            self._put(self._cipher.update(rest) if self._cipher else rest)
        self._file.close()


class _Decoded(io.RawIOBase):
    """A file that is being read: decrypted and unpacked on the way."""

    def __init__(self, file: BinaryIO, coding: Coding) -> None:
        self._file = file
        self._cipher: Any = None
        self._unpacker: Any = None
        self._ready = b""
        self.taken = 0
        if coding.key is not None:
            first = self._take(_BLOCK_BYTES)
            self._cipher = _counter(coding.key, _one_block(coding.key).decryptor().update(first))
        if coding.compress:
            import zstandard  # noqa: PLC0415 - only who unpacks waits for it

            self._unpacker = zstandard.ZstdDecompressor().decompressobj()
            self._broken = zstandard.ZstdError

    def _take(self, size: int) -> bytes:
        raw = self._file.read(size)
        self.taken += len(raw)
        return raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        room = memoryview(buffer).cast("B")
        while not self._ready:
            raw = self._take(_CHUNK_BYTES)
            if not raw:
                if self._unpacker is not None and not self._unpacker.eof:
                    raise OSError("the compressed stream ends too early")
                return 0
            plain = self._cipher.update(raw) if self._cipher else raw
            if self._unpacker is None:
                self._ready = plain
            else:
                try:
                    self._ready = self._unpacker.decompress(plain)
                except self._broken as error:
                    raise OSError(f"Failed to decompress data: {error}") from error
        count = min(len(room), len(self._ready))
        room[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


class Source:
    """A file that is being read; ``text`` is its decoded content."""

    def __init__(self, file: BinaryIO, coding: Coding) -> None:
        """Take an open file."""
        self._decoded = _Decoded(file, coding)
        self.text = io.BufferedReader(self._decoded, _CHUNK_BYTES * 4)

    @property
    def taken(self) -> int:
        """Bytes of the file that have been read."""
        return self._decoded.taken
