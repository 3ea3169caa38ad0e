"""Fetch by presigned addresses, which are secrets: no message says more of one than what was asked for."""

import json
import urllib.error
import urllib.request
from typing import Any

from aerokeep_node.refusal import NotNowError, RefusalError

TIMEOUT_S = 8.0
MOST_BYTES = 64 * 1024 * 1024


def fetch_order(url: str) -> Any:  # noqa: ANN401 - anything can stand in JSON
    """Fetch and parse a JSON document.

    Raises:
        NotNowError: ``download_failed``.
        RefusalError: ``spec_invalid``.

    """
    try:
        return json.loads(fetch(url, "the order").decode("utf-8"))
    except ValueError as error:
        raise RefusalError("spec_invalid", str(error)) from error


def fetch(url: str, name: str) -> bytes:
    """Fetch; ``name`` is what a failure is told by.

    Raises:
        NotNowError: ``download_failed``.

    """
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - patterns allow http(s) alone
            return bytes(response.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        raise NotNowError("download_failed", f"{name}: HTTP {error.code}") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise NotNowError("download_failed", f"{name}: {reason}") from error
