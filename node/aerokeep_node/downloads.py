"""Fetch files by presigned addresses, each checked against its hash."""

import hashlib
import os

from aerokeep_node.fetching import fetch
from aerokeep_node.placing import read_whole
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import RunDirectory, write_whole
from aerokeep_node.stage_order import FileOrder

FETCHED = "fetched"


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
    content = fetch(order.url, order.name)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != order.sha256 or len(content) != order.size:
        detail = f"{order.name}: {len(content)} bytes of sha256 {sha256}, not {order.size} of {order.sha256}"
        raise RefusalError("checksum_differs", detail)
    write_whole(kept, content)
    return content
