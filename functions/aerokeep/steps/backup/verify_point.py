"""State ``VerifyPoint``: compare everything that AWS and the vault hold with the plan, byte for byte where we can."""

import hashlib

from aerokeep.aerospike.smd import smd_faults
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.vault import Points, Runs
from aerokeep.model.errors import CorruptError
from aerokeep.model.files import NodeFiles
from aerokeep.model.plan import BackupPlan
from aerokeep.model.recovery_point import Cut, Snapshot
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.verification import point_faults
from aerokeep.steps.shared.capturing import Captured
from aerokeep.steps.step import step


class Members(Wire):
    """The snapshots of the point as they were when it was found sound."""

    snapshots: tuple[Snapshot, ...]


class Output(Wire):
    """What was compared."""

    snapshots: int
    files: int


def run(request: RunRef, *, runs: Runs, points: Points, snapshots: Snapshots) -> Output:
    """Find every fault before saying any.

    Raises:
        CorruptError: with all the faults.

    """
    plan, cut = runs.read(request, "plan", BackupPlan), runs.read(request, "cut", Cut)
    captured = runs.read(request, "captured", Captured)
    members = [s for s in snapshots.of_run(request.run_id) if s.id in cut.snapshot_ids]
    faults = list(point_faults(plan, cut=cut, snapshots=members, point_id=request.point_id))
    smd: dict[str, dict[str, bytes]] = {}
    for node in captured.nodes:
        smd[node.node_id] = _read_files(node, points, faults)
    faults += smd_faults(smd)
    if faults:
        raise CorruptError(f"point_unsound: {'; '.join(faults)}")
    runs.write(request, "members", Members(snapshots=tuple(members)))
    return Output(snapshots=len(members), files=sum(len(node.files) for node in captured.nodes))


def _read_files(node: NodeFiles, points: Points, faults: list[str]) -> dict[str, bytes]:
    """The node's SMD files; every file's bytes are compared with what the host reported inside the window."""
    if not any("/conf/" in file.key for file in node.files):
        faults.append(f"node {node.node_id}: no configuration was captured")
    modules = {}
    for file in node.files:
        body = points.file(file.key)
        if body is None:
            faults.append(f"{file.key} is not in the vault")
        elif hashlib.sha256(body).hexdigest() != file.sha256 or len(body) != file.size_bytes:
            faults.append(f"{file.key} is not what node {node.node_id} reported")
        elif "/smd/" in file.key:
            modules[file.key.rpartition("/")[2]] = body
    return modules


handler = step(run)
