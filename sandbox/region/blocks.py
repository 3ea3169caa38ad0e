"""EBS direct reads: the blocks of completed snapshots, as the data plane holds them."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.region.region import Region

BLOCK_BYTES = 512 * 1024
HASH = "SHA256"
_ZEROES = bytes(BLOCK_BYTES)


class UnreadableError(Exception):
    """A refusal in the words of the EBS direct APIs."""

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


@dataclass(frozen=True)
class Block:
    """One block's data."""

    data: bytes

    @property
    def checksum(self) -> str:
        """As the API spells it."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()


class Blocks:
    """Reads snapshots of a region."""

    def __init__(self, region: "Region") -> None:
        self._region = region

    def snapshot(self, snapshot_id: str) -> Any:  # noqa: ANN401  # moto has no types
        """A snapshot that can be read.

        Raises:
            UnreadableError: there is none, or it is not completed.

        """
        found = self._region.ec2.backend.snapshots.get(snapshot_id)
        if found is None:
            message = f"The snapshot '{snapshot_id}' does not exist."
            raise UnreadableError("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND", message)
        if self._region.snapshots.state(snapshot_id) != "completed":
            raise _invalid("INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot_id}' is not completed.")
        return found

    def written(self, snapshot_id: str, *, start: int = 0) -> Iterator[int]:
        """The indexes of the blocks that hold anything but zeroes."""
        count = self._size_bytes(snapshot_id) // BLOCK_BYTES
        return (index for index in range(start, count) if self._read(snapshot_id, index) != _ZEROES)

    def changed(self, first_id: str, second_id: str, *, start: int = 0) -> Iterator[int]:
        """The indexes of the blocks in which two snapshots of one volume differ.

        Raises:
            UnreadableError: they are not of one volume.

        """
        ledger = self._region.snapshots
        if ledger.origin(first_id) != ledger.origin(second_id):
            raise _invalid("UNRELATED_SNAPSHOTS", f"{first_id} and {second_id} are not of the same volume.")
        count = max(self._size_bytes(first_id), self._size_bytes(second_id)) // BLOCK_BYTES
        return (i for i in range(start, count) if self._read(first_id, i) != self._read(second_id, i))

    def block(self, snapshot_id: str, index: int, token: str) -> Block:
        """One block.

        Raises:
            UnreadableError: the token is not this block's.

        """
        if token != token_of(snapshot_id, index):
            raise _invalid("INVALID_BLOCK_TOKEN", f"The token is not that of block {index} of {snapshot_id}.")
        return Block(self._read(snapshot_id, index))

    def _size_bytes(self, snapshot_id: str) -> int:
        size_gib = int(self._region.ec2.backend.snapshots[snapshot_id].volume_size)
        return size_gib * self._region.pace.gib_bytes if self._region.snapshots.holds(snapshot_id) else 0

    def _read(self, snapshot_id: str, index: int) -> bytes:
        data = self._region.plane.read_snapshot(snapshot_id, offset=index * BLOCK_BYTES, length=BLOCK_BYTES)
        return data.ljust(BLOCK_BYTES, b"\0")


def token_of(snapshot_id: str, index: int) -> str:
    """What a reader must show to get a block."""
    return base64.b64encode(hashlib.sha256(f"{snapshot_id}:{index}".encode()).digest()).decode()


def page_token(index: int) -> str:
    """What a reader must show to go on with this block."""
    return base64.b64encode(f"from:{index}".encode()).decode()


def start_of(token: str | None, asked: int | None) -> int:
    """The block with which to go on.

    Raises:
        UnreadableError: the token is none of ours.

    """
    if not token:
        return asked or 0
    try:
        word, _, index = base64.b64decode(token, validate=True).decode().partition(":")
        if word == "from":
            return int(index)
    except ValueError as error:
        raise _invalid("INVALID_PAGE_TOKEN", "The page token is not valid.") from error
    raise _invalid("INVALID_PAGE_TOKEN", "The page token is not valid.")


def _invalid(reason: str, message: str) -> UnreadableError:
    return UnreadableError("ValidationException", reason, message)
