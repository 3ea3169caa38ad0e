"""What the witness says of a point: what lies in its snapshots, against what was acknowledged and when."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aerokeep.model.recovery_point import Manifest, NodeCut

from sandbox.cluster import NAMESPACES, run_client
from sandbox.database import Layout
from sandbox.dataplane.plane import DataPlane
from sandbox.proof import copies_of, put_in_place
from sandbox.witness.at_rest import Shelf
from sandbox.witness.reading import Copy

FILE_BYTES = 128 << 20
"""As the conf of the sandbox's nodes has it."""
HARM = ("lost", "stale", "from_after_cut", "holes", "unexplained")
"""What no point may have that is called one instant of the cluster."""


@dataclass(frozen=True)
class Judgement:
    """The witness's word on a point."""

    cluster: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]
    unreadable: str = ""
    """Why a server would not even start on these bytes."""

    @property
    def lost(self) -> int:
        """Keys that are missing, or older than what had been acknowledged."""
        return int(self.cluster.get("lost", 0)) + int(self.cluster.get("stale", 0))

    @property
    def after_cut(self) -> int:
        """Keys that hold what was sent after the cut."""
        return int(self.cluster.get("from_after_cut", 0))

    @property
    def holes(self) -> int:
        """Acknowledged inserts that are missing although a later one is there."""
        return int(self.cluster.get("holes", 0))

    @property
    def proves(self) -> bool:
        """There were writes before the cut and after it: without them nothing could be refuted."""
        before = int(self.cluster.get("before_cut", 0))
        return bool(self.unreadable) or 0 < before < int(self.cluster["acknowledged"])

    @property
    def refutes_cluster(self) -> bool:
        """It is not one instant of the cluster."""
        return bool(self.unreadable) or any(self.cluster[kind] for kind in HARM)

    @property
    def refutes_node(self) -> bool:
        """Some node's copy is not one instant of that node."""
        kinds = ("lost", "stale", "from_after_cut", "unexplained")
        return bool(self.unreadable) or any(verdict[kind] for verdict in self.nodes.values() for kind in kinds)


def judge(plane: DataPlane, manifest: Manifest, *, ledger: Path, size_of: int, addresses_from: int) -> Judgement:
    """Read a point's snapshots as cold starts would, and compare.

    Args:
        plane: where the snapshots are.
        manifest: the point.
        ledger: what the witness recorded; its writer must have been stopped.
        size_of: bytes that the plane holds for one GiB of EBS.
        addresses_from: the first of the addresses that nodes of copies may take.

    """
    copies = copies_of(manifest, smd={}, size_of=size_of)
    spec = ledger.with_suffix(".copies")
    with put_in_place(plane, copies, first_address=addresses_from) as layouts:
        told = [asdict(_copy(plane, i, lay, cut)) for (i, lay), cut in zip(layouts.items(), manifest.cuts, strict=True)]
        spec.write_text(json.dumps(told))
        try:
            said = run_client(
                plane, ["sandbox.witness.reading", "--copies", str(spec), "--ledger", str(ledger)], timeout_s=60.0
            )
        except RuntimeError as error:
            return Judgement({}, {}, unreadable=str(error))
        finally:
            spec.unlink()
    found = json.loads(said)
    return Judgement(found["cluster"], found["nodes"])


def _copy(plane: DataPlane, instance_id: str, layout: Layout, cut: NodeCut) -> Copy:
    file = Shelf(NAMESPACES[0], _seen(plane, instance_id, [layout.data_file]), is_file=True, file_bytes=FILE_BYTES)
    raw = Shelf(NAMESPACES[1], _seen(plane, instance_id, layout.raw_devices), is_file=False)
    return Copy(cut.node_id, cut.requested_at.timestamp(), cut.responded_at.timestamp(), (file, raw))


def _seen(plane: DataPlane, instance_id: str, paths: Sequence[str]) -> tuple[str, ...]:
    """A node's paths as the machine has them."""
    root = str(plane.host_dir(instance_id)).removesuffix(plane.seen_as(instance_id))
    return tuple(root + path for path in paths)
