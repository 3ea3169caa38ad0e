"""EBS direct reads."""

import base64
import hashlib
from typing import Any

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import UNKNOWN, a_completed_snapshot, a_ready_volume, a_snapshot, ec2
from tests.workflow.region.folder_plane import FolderPlane

RESPONSES = "moto.ebs.responses:EBSResponse."
WRITES = "only a host can write to a volume"
BLOCK = 512 * 1024
QUICK = Pace(per_volume_rate_s=0.0, snapshot_pending_s=0.0)


def _write(aws: Account, volume_id: str, block: int, data: bytes) -> None:
    plane = aws.region.plane
    assert isinstance(plane, FolderPlane)
    plane.write(volume_id, block * BLOCK, data)


def _blocks(aws: Account, snapshot_id: str, **request: Any) -> dict[int, str]:  # noqa: ANN401  # a request's own fields
    told = aws.client("ebs").list_snapshot_blocks(SnapshotId=snapshot_id, **request)
    assert told["BlockSize"] == BLOCK
    return {entry["BlockIndex"]: entry["BlockToken"] for entry in told["Blocks"]}


@behaviour(
    "The blocks that were written can be listed, and each be read with its token and checked.",
    source="EBS direct APIs reference, ListSnapshotBlocks and GetSnapshotBlock",
    calls=("ebs.ListSnapshotBlocks", "ebs.GetSnapshotBlock"),
    hooks=(f"{RESPONSES}list_snapshot_blocks", f"{RESPONSES}get_snapshot_block"),
    sandbox_only=WRITES,
    pace=QUICK,
)
def _read(aws: Account) -> None:
    volume_id = a_ready_volume(aws)
    _write(aws, volume_id, 3, b"three")
    made = a_snapshot(aws, volume_id)
    found = _blocks(aws, made)
    assert list(found) == [3]
    assert _blocks(aws, made, StartingBlockIndex=4) == {}
    told = aws.client("ebs").get_snapshot_block(SnapshotId=made, BlockIndex=3, BlockToken=found[3])
    data = told["BlockData"].read()
    assert (data[:6], len(data), told["DataLength"]) == (b"three\0", BLOCK, BLOCK)
    assert told["Checksum"] == base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert told["ChecksumAlgorithm"] == "SHA256"
    wrong = {"SnapshotId": made, "BlockIndex": 3, "BlockToken": "AAAA"}
    assert aws.refused("ebs", "get_snapshot_block", **wrong) == "ValidationException"


@behaviour(
    "Two snapshots of one volume tell in which blocks they differ; those of two volumes are not compared.",
    source="EBS direct APIs reference, ListChangedBlocks",
    calls=("ebs.ListChangedBlocks",),
    hooks=(f"{RESPONSES}list_changed_blocks",),
    sandbox_only=WRITES,
    pace=QUICK,
)
def _changed(aws: Account) -> None:
    volume_id = a_ready_volume(aws)
    _write(aws, volume_id, 1, b"one")
    first = a_snapshot(aws, volume_id)
    _write(aws, volume_id, 5, b"five")
    second = a_snapshot(aws, volume_id)
    told = aws.client("ebs").list_changed_blocks(FirstSnapshotId=first, SecondSnapshotId=second)
    assert [entry["BlockIndex"] for entry in told["ChangedBlocks"]] == [5]
    assert told["ChangedBlocks"][0]["SecondBlockToken"] == _blocks(aws, second)[5]
    unrelated = {"FirstSnapshotId": first, "SecondSnapshotId": a_snapshot(aws)}
    assert aws.refused("ebs", "list_changed_blocks", **unrelated) == "ValidationException"


@behaviour(
    "Blocks are listed in pages.",
    source="EBS direct APIs reference, ListSnapshotBlocks",
    calls=("ebs.ListSnapshotBlocks",),
    hooks=(f"{RESPONSES}list_snapshot_blocks",),
    sandbox_only=WRITES,
    pace=Pace(snapshot_pending_s=0.0, gib_bytes=128 * BLOCK),
)
def _pages(aws: Account) -> None:
    volume_id = a_ready_volume(aws)
    _write(aws, volume_id, 0, b"x" * (101 * BLOCK))
    made, ebs = a_snapshot(aws, volume_id), aws.client("ebs")
    first = ebs.list_snapshot_blocks(SnapshotId=made, MaxResults=100)
    second = ebs.list_snapshot_blocks(SnapshotId=made, MaxResults=100, NextToken=first["NextToken"])
    assert [len(told["Blocks"]) for told in (first, second)] == [100, 1]
    assert "NextToken" not in second


@behaviour(
    "A snapshot that does not exist, or is not completed, cannot be read.",
    source="EBS direct APIs reference, errors; assumed: the code for a pending one",
    calls=("ebs.ListSnapshotBlocks",),
    hooks=(f"{RESPONSES}list_snapshot_blocks",),
    pace=Pace(snapshot_pending_s=60.0),
)
def _unreadable(aws: Account) -> None:
    unknown = aws.refused("ebs", "list_snapshot_blocks", SnapshotId=UNKNOWN["snapshot"])
    assert unknown == "ResourceNotFoundException"
    assert aws.refused("ebs", "list_snapshot_blocks", SnapshotId=a_snapshot(aws)) == "ValidationException"


@behaviour(
    "A copy has the bytes of its source, and keeps them when the source is gone.",
    source="EBS user guide, copy a snapshot",
    calls=("ec2.CopySnapshot", "ebs.GetSnapshotBlock"),
    hooks=("moto.ec2.responses.elastic_block_store:ElasticBlockStore.copy_snapshot",),
    sandbox_only=WRITES,
    pace=Pace(snapshot_pending_s=0.0, snapshot_copy_s=0.0),
)
def _copied_bytes(aws: Account) -> None:
    volume_id = a_ready_volume(aws)
    _write(aws, volume_id, 2, b"two")
    source = a_completed_snapshot(aws, volume_id)
    copy = ec2(aws).copy_snapshot(SourceSnapshotId=source, SourceRegion=aws.region.region)["SnapshotId"]
    ec2(aws).delete_snapshot(SnapshotId=source)
    token = _blocks(aws, copy)[2]
    told = aws.client("ebs").get_snapshot_block(SnapshotId=copy, BlockIndex=2, BlockToken=token)
    assert told["BlockData"].read()[:3] == b"two"
