"""Fetch by presigned addresses, each file checked against its hash; the addresses themselves are secrets."""

import hashlib
import json
import os
import urllib.error
import urllib.request
from typing import Any

from aerokeep_node.placing import read_whole
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.run_directory import RunDirectory, write_whole
from aerokeep_node.stage_order import FileOrder

FETCHED = "fetched"
TIMEOUT_S = 8.0
MOST_BYTES = 64 * 1024 * 1024


def fetch_order(url: str) -> Any:  # noqa: ANN401 - anything can stand in JSON
    """Fetch and parse a JSON document.

    Raises:
        NotNowError: ``download_failed``.
        RefusalError: ``spec_invalid``.

    """
    try:
        return json.loads(_get(url, "the order").decode("utf-8"))
    except ValueError as error:
        raise RefusalError("spec_invalid", str(error)) from error


def fetch_file(order: FileOrder, directory: RunDirectory) -> bytes:
    """Fetch a file, once in a run: a later call may come with an address that has expired.

    Raises:
        NotNowError: ``download_failed``.
        RefusalError: ``checksum_differs``.

    """
    os.makedirs(directory.file(FETCHED), mode=0o700, exist_ok=True)
    kept = directory.file(FETCHED, order.sha256)
    content = read_whole(kept)
    if content is not None and hashlib.sha256(content).hexdigest() == order.sha256:
        return content
    content = _get(order.url, order.name)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != order.sha256 or len(content) != order.size:
        detail = f"{order.name}: {len(content)} bytes of sha256 {sha256}, not {order.size} of {order.sha256}"
        raise RefusalError("checksum_differs", detail)
    write_whole(kept, content)
    return content


def _get(url: str, name: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - patterns allow http(s) alone
            return bytes(response.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        raise NotNowError("download_failed", f"{name}: HTTP {error.code}") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise NotNowError("download_failed", f"{name}: {reason}") from error
