"""State ``CaptureMetadata``: bring each node's SMD and configuration into the vault, by presigned uploads."""

import re
from collections.abc import Mapping

from pydantic import RootModel

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import HostReply, Hosts
from aerokeep.aws.vault import Points, Runs, Upload
from aerokeep.model.errors import CorruptError
from aerokeep.model.evidence import AsideFile
from aerokeep.model.files import NodeFiles, VaultFile
from aerokeep.model.plan import BackupPlan
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.asking import Asked, Progress, settled
from aerokeep.steps.step import Clock, step

_SAFE_NAME = re.compile(r"^(smd|conf)/[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$")
"""What a host may call its files: two folders, no way out of them."""


class Uploads(RootModel[list[Upload]]):
    """The uploads of one node; the URL of this object is all that stands in SSM's history."""


class Capture(Wire):
    """How far the capture is; written between two looks."""

    reporting: Asked
    files: tuple[NodeFiles, ...] | None = None
    """What the hosts reported, with the keys it goes to; None before."""
    uploading: Asked | None = None


class Captured(Wire):
    """What is in the vault now."""

    nodes: tuple[NodeFiles, ...]


def run(request: RunRef, *, runs: Runs, catalog: Catalog, points: Points, hosts: Hosts, clock: Clock) -> Progress:
    """Three looks or more: ask what there is, sign and have it uploaded, then find every host done.

    Raises:
        CorruptError: a host reports a name outside its two folders, or an upload failed.
        NotReadyError: a host did not answer.

    """
    plan = runs.read(request, "plan", BackupPlan)
    capture = runs.find(request, "capture", Capture)
    if capture is None:
        catalog.require(request)
        ids = tuple(node.instance_id for node in plan.nodes)
        commands = hosts.send("capture", ids, {"Run": request.run_id, "Uploads": "report"})
        reporting = Asked(command_ids=tuple(commands), instance_ids=ids, asked_at=clock())
        capture = Capture(reporting=reporting)
        runs.write(request, "capture", capture)
    asked = capture.uploading or capture.reporting
    replies = hosts.replies(asked.command_ids, asked.instance_ids)
    if not settled("capture", replies, deadline=asked.deadline, now=clock()):
        return Progress(done=False)
    if capture.uploading is None or capture.files is None:
        catalog.require(request)
        files = _reported(request, plan, replies)
        uploading = _start_uploads(request, plan, files, runs=runs, points=points, hosts=hosts, clock=clock)
        runs.write(request, "capture", capture.model_copy(update={"files": files, "uploading": uploading}))
        return Progress(done=False)
    _all_uploaded(replies)
    runs.write(request, "captured", Captured(nodes=capture.files))
    return Progress(done=True)


def _reported(request: RunRef, plan: BackupPlan, replies: Mapping[str, HostReply]) -> tuple[NodeFiles, ...]:
    nodes = []
    for node in plan.nodes:
        reported = [AsideFile.model_validate(raw) for raw in replies[node.instance_id].body.get("files", [])]
        for file in reported:
            if not _SAFE_NAME.match(file.name):
                raise CorruptError(f"file_name_refused: node {node.node_id} reports {file.name!r}")
        prefix = f"{Points.prefix(request)}/nodes/{node.node_id}"
        files = tuple(
            VaultFile(key=f"{prefix}/{file.name}", size_bytes=file.size, sha256=file.sha256) for file in reported
        )
        nodes.append(NodeFiles(node_id=node.node_id, files=files))
    return tuple(nodes)


def _start_uploads(
    request: RunRef,
    plan: BackupPlan,
    files: tuple[NodeFiles, ...],
    *,
    runs: Runs,
    points: Points,
    hosts: Hosts,
    clock: Clock,
) -> Asked:
    commands: list[str] = []
    for node, of_node in zip(plan.nodes, files, strict=True):
        prefix = f"{Points.prefix(request)}/nodes/{node.node_id}/"
        signed = [
            points.upload_for(file.key, name=file.key.removeprefix(prefix), sha256_hex=file.sha256)
            for file in of_node.files
        ]
        name = f"uploads-{node.node_id}"
        runs.write(request, name, Uploads(signed))
        parameters = {"Run": request.run_id, "Uploads": runs.presigned_read(request, name)}
        commands += hosts.send("capture", [node.instance_id], parameters)
    ids = tuple(node.instance_id for node in plan.nodes)
    return Asked(command_ids=tuple(commands), instance_ids=ids, asked_at=clock())


_STORED = frozenset({200, 412})
"""412: an earlier try of this upload had already arrived; VerifyPoint compares the bytes either way."""


def _all_uploaded(replies: Mapping[str, HostReply]) -> None:
    for instance_id, reply in replies.items():
        for result in reply.body.get("uploaded", []):
            if result.get("status") not in _STORED:
                raise CorruptError(f"upload_failed: {result.get('name')} of {instance_id}: HTTP {result.get('status')}")


handler = step(run)
