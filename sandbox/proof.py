"""Prove a recovery point: cold-start servers on copies of its snapshots and let the witness judge what came back."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from aerokeep.model.plan import NodePlan
from aerokeep.model.recovery_point import Manifest, NodeCut

from sandbox.cluster import FILE_DEVICE, RAW_DEVICES, prepare, stop_servers
from sandbox.database import REPOSITORY, Layout, Server, start_server
from sandbox.dataplane.plane import DataPlane

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
    plans = {node.instance_id: node for node in manifest.plan.nodes}
    copies = [
        NodeCopy(cut.node_id, _volumes(plans[cut.instance_id], cut, size_of=size_of), smd.get(cut.node_id, {}))
        for cut in manifest.cuts
    ]
    first, last = manifest.first_request.timestamp(), manifest.last_response.timestamp()
    return judge_copies(plane, copies, ledger=ledger, first_request_at=first, last_response_at=last)


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
    ips = [plane.node_ip(FIRST_ADDRESS + index) for index in range(len(copies))]
    servers: list[Server] = []
    started: list[str] = []
    try:
        for ip, copy in zip(ips, copies, strict=True):
            instance_id = f"i-proof{copy.node_id.lower()}"
            plane.add_node(instance_id, private_ip=ip)
            started.append(instance_id)
            for volume in copy.volumes:
                _attach(plane, instance_id, volume)
            layout = lay_out(plane, instance_id, node_id=copy.node_id.lower(), private_ip=ip, seeds=ips, blank=False)
            folder = plane.host_dir(instance_id) / "smd"
            folder.mkdir(parents=True, exist_ok=True)
            for name, body in copy.smd.items():
                (folder / name).write_bytes(body)
            servers.append(start_server(plane, instance_id, layout))
        for server in servers:
            server.wait_ready()
        return _judge(plane, ips, ledger, first_request_at=first_request_at, last_response_at=last_response_at)
    finally:
        stop_servers(servers)
        for instance_id in started:
            plane.remove_node(instance_id)


def _attach(plane: DataPlane, instance_id: str, volume: VolumeCopy) -> None:
    volume_id = f"vol-{uuid4().hex[:17]}"
    plane.create_volume(volume_id, size_bytes=volume.size_bytes, snapshot_id=volume.snapshot_id)
    plane.attach(volume_id, instance_id, device=volume.device, root=volume.root)


def _judge(
    plane: DataPlane, ips: list[str], ledger: Path, *, first_request_at: float, last_response_at: float
) -> Verdict:
    argv = [sys.executable, "-m", "sandbox.witness", "judge", "--seeds", ",".join(f"{ip}:3000" for ip in ips)]
    argv += ["--ledger", str(ledger)]
    argv += ["--first-request", f"{first_request_at:.6f}", "--last-response", f"{last_response_at:.6f}"]
    process = plane.spawn_client(argv, cwd=str(REPOSITORY), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=JUDGE_TIMEOUT_S)
    if process.returncode != 0:
        raise RuntimeError(f"the witness could not judge: {err.decode()[-1000:]}")
    told = json.loads(out)
    return Verdict(
        acknowledged=told["acknowledged"],
        before_cut=told["before_cut"],
        lost=told["lost"] + told["stale"],
        from_after_cut=told["from_after_cut"],
        raw=told,
    )
