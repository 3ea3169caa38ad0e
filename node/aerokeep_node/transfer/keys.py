"""The key that the tools encrypt with: where it is, whether it is safe there, and how two of them are told apart."""

import base64
import binascii
import hashlib
import hmac
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from aerokeep_node.refusal import RefusalError
from aerokeep_node.transfer.order import Order
from aerokeep_node.transfer.vault import secret_command, tool_environment
from aerokeep_node.tree import Tree

FILE, SECRET = "file:", "secret:"
VARIABLE = "AEROKEEP_TRANSFER_KEY"
TIMEOUT_S = 10.0
CHECK_PURPOSE = b"aerokeep-export"
CHECK_CHARACTERS = 16
_PEM = re.compile(r"-----BEGIN ((?:[A-Z0-9]+ )?PRIVATE KEY)-----([^-]+)-----END \1-----")
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_LONG_FORM = 0x80


@dataclass(frozen=True)
class ToolKey:
    """How the tools are given the key; the key itself never stands on a command line."""

    options: Tuple[str, ...]
    variables: Dict[str, str]
    check: str


def find_key(tree: Tree, order: Order) -> Optional[ToolKey]:
    """Find the order's key; None where it has none.

    Raises:
        RefusalError: ``key_unavailable`` or ``wrong_key``.

    """
    encryption = order.encryption
    if encryption is None:
        return None
    if encryption.key.startswith(FILE):
        path = tree.path(encryption.key[len(FILE) :])
        material = _from_file(path)
        options: Tuple[str, ...] = ("--encryption-key-file", path)
        variables = {}
    else:
        material = _from_secret(order, encryption.key)
        options = ("--encryption-key-env", VARIABLE)
        variables = {VARIABLE: base64.b64encode(material).decode("ascii")}
    check = check_of(material)
    if encryption.check not in (None, check):
        detail = f"the key {encryption.key} is not the one that the export was made with"
        raise RefusalError("wrong_key", detail)
    compress = ("--compress", "zstd") if order.compression == "zstd" else ()
    return ToolKey(("-y", encryption.mode, *options, *compress), variables, check)


def check_of(material: bytes) -> str:
    """Give what tells keys apart; the tools, too, use but the hash of what they are given."""
    derived = hashlib.sha256(material).digest()
    return hmac.new(derived, CHECK_PURPOSE, hashlib.sha256).hexdigest()[:CHECK_CHARACTERS]


def _from_secret(order: Order, key: str) -> bytes:
    try:
        done = subprocess.run(
            secret_command(order, key[len(SECRET) :]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            env=tool_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusalError("key_unavailable", f"{key}: {type(error).__name__}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-200:]
        raise RefusalError("key_unavailable", f"{key}: {said}")
    try:
        material = base64.b64decode(done.stdout.strip(), validate=True)
    except binascii.Error:
        material = b""
    if not material:
        raise RefusalError("key_unavailable", f"{key}: is not base64, as the tools take a key from their environment")
    return material


def _from_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(1 << 20).decode("ascii", "replace")
    except OSError as error:
        raise RefusalError("key_unavailable", f"{path}: {error.strerror}") from error
    if status.st_mode & 0o077 or status.st_uid not in (0, os.geteuid()):
        raise RefusalError("key_unavailable", f"{path}: others than root can get at it; chown root and chmod 600 it")
    found = _PEM.search(text)
    if not found or "ENCRYPTED" in text:
        raise RefusalError("key_unavailable", f"{path}: no private key in PEM format without a passphrase")
    try:
        der = base64.b64decode("".join(found.group(2).split()), validate=True)
    except binascii.Error as error:
        raise RefusalError("key_unavailable", f"{path}: damaged PEM") from error
    return _unwrap(der) if found.group(1) == "PRIVATE KEY" else der


def _unwrap(der: bytes) -> bytes:
    """Give the key inside PKCS #8, as the tools see it through OpenSSL: SEQUENCE (version, algorithm, OCTET STRING)."""
    try:
        kind, body, _ = _element(der)
        version, _, rest = _element(body)
        algorithm, _, rest = _element(rest)
        octets, key, _ = _element(rest)
    except IndexError as error:
        raise RefusalError("key_unavailable", "damaged PKCS #8") from error
    if (kind, version, algorithm, octets) != (_SEQUENCE, _INTEGER, _SEQUENCE, _OCTETS):
        raise RefusalError("key_unavailable", "damaged PKCS #8")
    return key


def _element(der: bytes) -> Tuple[int, bytes, bytes]:
    """Split one DER element off: its kind, its content, and what follows."""
    length, start = der[1], 2
    if length & _LONG_FORM:
        start += length & ~_LONG_FORM
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]
