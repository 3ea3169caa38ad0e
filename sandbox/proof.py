"""Prove a recovery point: cold-start servers on copies of its snapshots and let the witness judge what came back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from aerokeep.model.plan import NodePlan
from aerokeep.model.recovery_point import Manifest, NodeCut

from sandbox.cluster import FILE_DEVICE, PORT, RAW_DEVICES, prepare, run_client, stop_servers
from sandbox.database import Layout, Server, start_server
from sandbox.dataplane.plane import DataPlane
from sandbox.witness.verdict import Period

FIRST_ADDRESS = 20
"""Addresses of the copies: not those of the living cluster, so that the two can't meet."""
JUDGE_TIMEOUT_S = 120


@dataclass(frozen=True)
class Verdict:
    """What the witness found in the copy."""

    acknowledged: int
    before_cut: int
    lost: int
    from_after_cut: int
    raw: dict[str, Any]


@dataclass(frozen=True)
class VolumeCopy:
    """A volume of a copied node; without a snapshot it comes back blank."""

    device: str
    size_bytes: int
    snapshot_id: str | None
    root: bool = False


@dataclass(frozen=True)
class NodeCopy:
    """What a copied node is made of."""

    node_id: str
    volumes: Sequence[VolumeCopy]
    smd: Mapping[str, bytes] = field(default_factory=dict)
    """File name → bytes."""


class Prepare(Protocol):
    """How a node whose volumes are attached is laid out, as `sandbox.cluster.prepare` does it."""

    def __call__(
        self, plane: DataPlane, instance_id: str, *, node_id: str, private_ip: str, seeds: Sequence[str], blank: bool
    ) -> Layout:
        """Mount what is to be mounted (``blank`` formats it) and say where everything is."""


def prove(
    plane: DataPlane, manifest: Manifest, *, smd: dict[str, dict[str, bytes]], ledger: Path, size_of: int
) -> Verdict:
    """Restore a recovery point into isolation beside the living cluster, and judge.

    Args:
        plane: where the copies are made.
        manifest: the recovery point.
        smd: node id → file name → bytes, as the vault holds them.
        ledger: what the witness recorded while it wrote.
        size_of: bytes that the data plane holds for one GiB of EBS.

    """
    copies = copies_of(manifest, smd=smd, size_of=size_of)
    first, last = manifest.first_request.timestamp(), manifest.last_response.timestamp()
    return judge_copies(plane, copies, ledger=ledger, first_request_at=first, last_response_at=last)


def copies_of(manifest: Manifest, *, smd: Mapping[str, Mapping[str, bytes]], size_of: int) -> list[NodeCopy]:
    """What the copies of a point's nodes are made of; the arguments are those of `prove`."""
    plans = {node.instance_id: node for node in manifest.plan.nodes}
    return [
        NodeCopy(cut.node_id, _volumes(plans[cut.instance_id], cut, size_of=size_of), smd.get(cut.node_id, {}))
        for cut in manifest.cuts
    ]


def _volumes(plan: NodePlan, cut: NodeCut, *, size_of: int) -> list[VolumeCopy]:
    """New volumes from the set's snapshots on their old devices; what was not saved comes back blank."""
    saved = {volume.device: volume for volume in plan.volumes}
    root = next((volume for volume in plan.volumes if volume.root), None)
    if root is not None:
        copies = [VolumeCopy(root.device, root.size_gib * size_of, cut.snapshots[root.volume_id], root=True)]
    else:
        copies = [VolumeCopy("/dev/sda1", 8 * size_of, None, root=True)]
    for device in (FILE_DEVICE, *RAW_DEVICES):
        volume = saved.get(device)
        size_bytes = (volume.size_gib if volume else 1) * size_of
        copies.append(VolumeCopy(device, size_bytes, cut.snapshots[volume.volume_id] if volume else None))
    return copies


def judge_copies(
    plane: DataPlane,
    copies: Sequence[NodeCopy],
    *,
    ledger: Path,
    first_request_at: float,
    last_response_at: float,
    lay_out: Prepare = prepare,
) -> Verdict:
    """Cold-start a cluster of copies, let the witness judge it, and power it off.

    Args:
        plane: where the copies are made.
        copies: the nodes.
        ledger: what the witness recorded while it wrote.
        first_request_at: epoch seconds; what was acknowledged before must be there.
        last_response_at: epoch seconds; what was sent after must not be there.
        lay_out: how a copied node is laid out.

    """
    servers: list[Server] = []
    with put_in_place(plane, copies, lay_out=lay_out) as layouts:
        try:
            for (instance_id, layout), copy in zip(layouts.items(), copies, strict=True):
                folder = plane.host_dir(instance_id) / "smd"
                folder.mkdir(parents=True, exist_ok=True)
                for name, body in copy.smd.items():
                    (folder / name).write_bytes(body)
                servers.append(start_server(plane, instance_id, layout))
            for server in servers:
                server.wait_ready()
            seeds = ",".join(f"{layout.private_ip}:{PORT}" for layout in layouts.values())
            return _judge(plane, seeds, ledger, Period(first_request_at, last_response_at))
        finally:
            stop_servers(servers)


@contextmanager
def put_in_place(
    plane: DataPlane, copies: Sequence[NodeCopy], *, lay_out: Prepare = prepare, first_address: int = FIRST_ADDRESS
) -> Iterator[dict[str, Layout]]:
    """Give each copy a node with its volumes, without power at the end → instance id → layout, in their order."""
    ips = [plane.node_ip(first_address + index) for index in range(len(copies))]
    layouts: dict[str, Layout] = {}
    started: list[str] = []
    try:
        for ip, copy in zip(ips, copies, strict=True):
            instance_id = f"i-proof{first_address}{copy.node_id.lower()}"
            plane.add_node(instance_id, private_ip=ip)
            started.append(instance_id)
            for volume in copy.volumes:
                _attach(plane, instance_id, volume)
            layouts[instance_id] = lay_out(
                plane, instance_id, node_id=copy.node_id.lower(), private_ip=ip, seeds=ips, blank=False
            )
        yield layouts
    finally:
        for instance_id in started:
            plane.remove_node(instance_id)


def _attach(plane: DataPlane, instance_id: str, volume: VolumeCopy) -> None:
    volume_id = f"vol-{uuid4().hex[:17]}"
    plane.create_volume(volume_id, size_bytes=volume.size_bytes, snapshot_id=volume.snapshot_id)
    plane.attach(volume_id, instance_id, device=volume.device, root=volume.root)


def judge_live(
    plane: DataPlane,
    seeds: str,
    ledger: Path,
    *,
    first_request_at: float,
    last_response_at: float,
    reopened_at: float | None = None,
) -> Verdict:
    """Let the witness judge a cluster where it is, after a restore or a replacement.

    Args:
        plane: where it is.
        seeds: ``ip:port[,ip:port…]`` of all its nodes.
        ledger: what the witness recorded; its writer must have been stopped.
        first_request_at: epoch seconds; what was acknowledged before must be there.
        last_response_at: epoch seconds; what was sent after must not be there, up to ``reopened_at``.
        reopened_at: an instant between the end of the old servers and the first write to the restored ones, if the
            writer went on: what was sent later must be there again. Where nothing was restored (a node was replaced),
            give the end of the writer as the first two instants: every acknowledged write must be there.

    """
    return _judge(plane, seeds, ledger, Period(first_request_at, last_response_at, reopened_at or float("inf")))


def _judge(plane: DataPlane, seeds: str, ledger: Path, period: Period) -> Verdict:
    argv = ["sandbox.witness", "judge", "--seeds", seeds, "--ledger", str(ledger)]
    argv += ["--first-request", f"{period.first_request_at:.6f}", "--last-response", f"{period.last_response_at:.6f}"]
    argv += ["--reopened", f"{period.reopened_at:.6f}"]
    told = json.loads(run_client(plane, argv, timeout_s=JUDGE_TIMEOUT_S))
    return Verdict(
        acknowledged=told["acknowledged"],
        before_cut=told["before_cut"],
        lost=told["lost"] + told["stale"],
        from_after_cut=told["from_after_cut"],
        raw=told,
    )
