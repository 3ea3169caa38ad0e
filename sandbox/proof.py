"""Prove a recovery point: cold-start servers on copies of its snapshots and let the witness judge what came back."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from aerokeep.model.plan import NodePlan
from aerokeep.model.recovery_point import Manifest, NodeCut

from sandbox.cluster import FILE_DEVICE, RAW_DEVICES, prepare, stop_servers
from sandbox.database import REPOSITORY, Server, start_server
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


def prove(
    plane: DataPlane, manifest: Manifest, *, smd: dict[str, dict[str, bytes]], ledger: Path, size_of: int
) -> Verdict:
    """Restore into isolation beside the living cluster, and judge.

    Args:
        plane: where the copies are made.
        manifest: the recovery point.
        smd: node id → file name → bytes, as the vault holds them.
        ledger: what the witness recorded while it wrote.
        size_of: bytes that the data plane holds for one GiB of EBS.

    """
    ips = [plane.node_ip(FIRST_ADDRESS + index) for index in range(len(manifest.cuts))]
    plans = {node.instance_id: node for node in manifest.plan.nodes}
    servers: list[Server] = []
    copies: list[str] = []
    try:
        for ip, cut in zip(ips, manifest.cuts, strict=True):
            copy = f"i-proof{cut.node_id.lower()}"
            plane.add_node(copy, private_ip=ip)
            copies.append(copy)
            _attach_copies(plane, copy, plans[cut.instance_id], cut, size_of=size_of)
            layout = prepare(plane, copy, node_id=cut.node_id.lower(), private_ip=ip, seeds=ips, blank=False)
            folder = plane.host_dir(copy) / "smd"
            folder.mkdir(parents=True, exist_ok=True)
            for name, body in smd.get(cut.node_id, {}).items():
                (folder / name).write_bytes(body)
            servers.append(start_server(plane, copy, layout))
        for server in servers:
            server.wait_ready()
        return _judge(plane, ips, manifest, ledger)
    finally:
        stop_servers(servers)
        for copy in copies:
            plane.remove_node(copy)


def _attach_copies(plane: DataPlane, copy: str, plan: NodePlan, cut: NodeCut, *, size_of: int) -> None:
    """New volumes from the set's snapshots on their old devices; what was not saved comes back blank."""
    saved = {volume.device: volume for volume in plan.volumes}
    root = next((volume for volume in plan.volumes if volume.root), None)
    if root is not None:
        _new_volume(plane, copy, root.device, cut.snapshots[root.volume_id], root.size_gib * size_of, root=True)
    else:
        _new_volume(plane, copy, "/dev/sda1", None, 8 * size_of, root=True)
    for device in (FILE_DEVICE, *RAW_DEVICES):
        volume = saved.get(device)
        size_bytes = (volume.size_gib if volume else 1) * size_of
        _new_volume(plane, copy, device, cut.snapshots[volume.volume_id] if volume else None, size_bytes)


def _new_volume(
    plane: DataPlane, copy: str, device: str, snapshot_id: str | None, size_bytes: int, *, root: bool = False
) -> None:
    volume_id = f"vol-{uuid4().hex[:17]}"
    plane.create_volume(volume_id, size_bytes=size_bytes, snapshot_id=snapshot_id)
    plane.attach(volume_id, copy, device=device, root=root)


def _judge(plane: DataPlane, ips: list[str], manifest: Manifest, ledger: Path) -> Verdict:
    argv = [sys.executable, "-m", "sandbox.witness", "judge", "--seeds", ",".join(f"{ip}:3000" for ip in ips)]
    argv += ["--ledger", str(ledger)]
    argv += ["--first-request", f"{manifest.first_request.timestamp():.6f}"]
    argv += ["--last-response", f"{manifest.last_response.timestamp():.6f}"]
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
