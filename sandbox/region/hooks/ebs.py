"""EBS direct APIs: what is read of a snapshot is what was on its volume."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from sandbox.region.blocks import BLOCK_BYTES, HASH, Blocks, UnreadableError, page_token, start_of, token_of
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ebs.responses:EBSResponse."
MOST_BLOCKS = 10_000
TOKENS_LAST = timedelta(days=7)
Moto = Any


class Refusal(ServiceException):  # type: ignore[misc]  # moto has no types
    """A refusal with its reason."""

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(code, message)
        self.reason = reason


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise Refusal(error.code, error.reason, str(error)) from error


def _page(response: Moto, key: str, found: Iterator[int], entry: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    most = int(response._get_param("MaxResults") or MOST_BLOCKS)
    indexes = list(itertools.islice(found, most))
    following = next(found, None)
    told: dict[str, Any] = {key: [{"BlockIndex": index, **entry(index)} for index in indexes]}
    return {**told, "NextToken": page_token(following)} if following is not None else told


def _start(response: Moto) -> int:
    return start_of(response._get_param("NextToken"), response._get_param("StartingBlockIndex"))


def _frame(snapshot: Moto) -> dict[str, Any]:
    expiry = datetime.now(UTC) + TOKENS_LAST
    return {"VolumeSize": int(snapshot.volume_size), "BlockSize": BLOCK_BYTES, "ExpiryTime": expiry}


def _list(region: "Region", _old: Moto) -> Moto:
    def list_snapshot_blocks(self: Moto) -> Moto:
        blocks, snapshot_id = Blocks(region), self._get_param("SnapshotId")
        with _refusing():
            snapshot = blocks.snapshot(snapshot_id)
            found = blocks.written(snapshot_id, start=_start(self))
            page = _page(self, "Blocks", found, lambda index: {"BlockToken": token_of(snapshot_id, index)})
        return ActionResult({**page, **_frame(snapshot)})

    return list_snapshot_blocks


def _changed(region: "Region", _old: Moto) -> Moto:
    def list_changed_blocks(self: Moto) -> Moto:
        blocks, first, second = Blocks(region), self._get_param("FirstSnapshotId"), self._get_param("SecondSnapshotId")
        with _refusing():
            snapshot = blocks.snapshot(second)
            blocks.snapshot(first)
            found = blocks.changed(first, second, start=_start(self))
            page = _page(
                self,
                "ChangedBlocks",
                found,
                lambda index: {"FirstBlockToken": token_of(first, index), "SecondBlockToken": token_of(second, index)},
            )
        return ActionResult({**page, **_frame(snapshot)})

    return list_changed_blocks


def _get(region: "Region", _old: Moto) -> Moto:
    def get_snapshot_block(self: Moto) -> Moto:
        blocks, snapshot_id = Blocks(region), self._get_param("SnapshotId")
        with _refusing():
            blocks.snapshot(snapshot_id)
            block = blocks.block(snapshot_id, int(self._get_param("BlockIndex")), self._get_param("BlockToken"))
        told = {"DataLength": BLOCK_BYTES, "Checksum": block.checksum, "ChecksumAlgorithm": HASH}
        return ActionResult({**told, "BlockData": block.data})

    return get_snapshot_block


HOOKS = (
    Hook(f"{RESPONSES}list_snapshot_blocks", "moto knows blocks of its own snapshots only.", _list, ("self",)),
    Hook(f"{RESPONSES}list_changed_blocks", "moto knows blocks of its own snapshots only.", _changed, ("self",)),
    Hook(f"{RESPONSES}get_snapshot_block", "moto knows blocks of its own snapshots only.", _get, ("self",)),
)
