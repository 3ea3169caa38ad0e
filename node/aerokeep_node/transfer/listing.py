"""The files of an exported part, as its listing names them: each with its size and hash."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import List, Tuple

from aerokeep_node.transfer.children import Program
from aerokeep_node.transfer.order import COMPRESSIONS, ImportPart
from aerokeep_node.transfer.vault import download_command
from aerokeep_node.transfer.worker import PartError, Worker

MOST_BYTES = 64 << 20
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=/-]{0,1000}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"key", "size", "sha256", "compressed"}


@dataclass(frozen=True)
class ListedFile:
    """One object; ``compressed`` says with what, by whomever."""

    key: str
    size: int
    sha256: str
    compressed: str


def fetch_listing(worker: Worker, part: ImportPart) -> Tuple[ListedFile, ...]:
    """Fetch and check a part's listing.

    Raises:
        PartError: ``download_failed``, or ``listing_unreadable`` where it is not the one that was asked for.

    """
    path = worker.directory.file(f"{part.name}.{worker.order.token}.listing")
    with open(path, "w+b") as file:
        os.unlink(path)
        aws = worker.start(Program("aws", download_command(worker.order, part.listing_key), stdout=file.fileno()))
        if worker.wait_for(aws) != 0:
            raise PartError("download_failed", aws.describe_end())
        file.seek(0)
        content = file.read(MOST_BYTES)
    if hashlib.sha256(content).hexdigest() != part.listing_sha256:
        raise PartError("listing_unreadable", f"{part.listing_key} does not have the sha256 that the order names")
    files = tuple(_parse(content))
    if not files or part.skip > len(files):
        raise PartError(
            "listing_unreadable", f"{part.listing_key} has {len(files)} files, {part.skip} are to be skipped"
        )
    return files


def _parse(content: bytes) -> List[ListedFile]:
    try:
        entries = json.loads(content.decode("ascii"))
    except ValueError as error:
        raise PartError("listing_unreadable", str(error)) from error
    if not isinstance(entries, list) or not all(_is_file(entry) for entry in entries):
        raise PartError("listing_unreadable", "a list of key, size, sha256 and compressed is expected")
    return [ListedFile(**entry) for entry in entries]


def _is_file(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        return False
    size = entry["size"]
    return (
        bool(_KEY.fullmatch(str(entry["key"])) and _SHA256.fullmatch(str(entry["sha256"])))
        and isinstance(size, int)
        and size >= 0
        and entry["compressed"] in COMPRESSIONS
    )
