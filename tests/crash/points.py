"""What committed recovery points must be: complete, and as consistent as their label says."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sandbox.light.launch import LightCluster
from tests.crash.field import Field
from tests.crash.invariants import Breach, tags_of
from tests.crash.writer import Writer

COMMITTED = "committed"
CLUSTER = "cluster"
Manifest = Mapping[str, Any]


def manifests_of(field: Field, cluster: str) -> dict[str, dict[str, Any]]:
    """Point id → what stands under its manifest's key, of all points of a cluster that have files."""
    prefix = f"clusters/{cluster}/points/"
    ids = sorted({key.removeprefix(prefix).split("/")[0] for key in field.sizes(prefix)})
    return {point_id: field.manifest(cluster, point_id) for point_id in ids}


def false_points(field: Field, cluster: LightCluster, writer: Writer | None) -> Iterator[Breach]:
    """Everything that a committed point of a cluster says and is not."""
    for point_id, manifest in manifests_of(field, cluster.name).items():
        if manifest.get("state") != COMMITTED:
            continue
        yield from _incomplete(field, cluster, point_id, manifest)
        if writer is not None and manifest["label"]["consistency"] == CLUSTER:
            yield from _false_label(field, point_id, manifest, writer)


def _incomplete(field: Field, cluster: LightCluster, point_id: str, manifest: Manifest) -> Iterator[Breach]:
    parts = {part for counts in _held(field, manifest).values() for part in counts}
    wanted = {(name, member.node_id) for name in manifest["plan"]["namespaces"] for member in cluster.members}
    lacking = [
        *_lacking_snapshots(field, point_id, manifest),
        *_lacking_files(field, cluster, point_id, manifest),
        *(f"the records of {namespace} on {node_id}" for namespace, node_id in sorted(wanted - parts)),
    ]
    if lacking:
        yield Breach("incomplete_point", f"{point_id} lacks {', '.join(lacking)}")


def _lacking_snapshots(field: Field, point_id: str, manifest: Manifest) -> Iterator[str]:
    known = field.region.ec2.backend.snapshots
    for node, taken in _taken(manifest).items():
        for snapshot_id in taken:
            snapshot = known.get(snapshot_id)
            if snapshot is None or snapshot.status != "completed":
                yield f"{snapshot_id} of {node}"
            elif tags_of(snapshot).get("aerokeep:point") != point_id:
                yield f"the tag of {snapshot_id}"


def _lacking_files(field: Field, cluster: LightCluster, point_id: str, manifest: Manifest) -> Iterator[str]:
    stored = field.sizes(f"clusters/{cluster.name}/points/{point_id}/")
    files = {file["key"]: file["size_bytes"] for node in manifest["files"] for file in node["files"]}
    yield from (key for key, size in files.items() if stored.get(key) != size)
    if not files or manifest["evidence_key"] not in stored:
        yield "its evidence"


def _false_label(field: Field, point_id: str, manifest: Manifest, writer: Writer) -> Iterator[Breach]:
    """All copies hold the same records: those of every write before the first cut, and of none since."""
    first, last = (datetime.fromisoformat(manifest[name]).timestamp() for name in ("first_request", "last_response"))
    fewest, most = writer.bounds(first, last)
    covered = set(manifest["label"]["namespaces"])
    for snapshot_id, counts in _held(field, manifest).items():
        for (namespace, node_id), records in counts.items():
            if namespace in covered and not fewest == records == most:
                told = f"{snapshot_id} has {records} records of {namespace} on {node_id}"
                yield Breach("false_label", f"{point_id}: {told}, not {fewest} to {most}")


def _taken(manifest: Manifest) -> dict[str, list[str]]:
    return {cut["node_id"]: sorted(cut["snapshots"].values()) for cut in manifest["cuts"]}


def _held(field: Field, manifest: Manifest) -> dict[str, dict[tuple[str, str], int]]:
    """Snapshot id → (namespace, node-id) → records, of the point's snapshots that there are."""
    with field.plane.lock:
        contents = field.plane.store.snapshots
        found = {i: contents[i] for taken in _taken(manifest).values() for i in taken if i in contents}
    extents = {i: [*content.extents.values(), *([content.raw] if content.raw else [])] for i, content in found.items()}
    return {
        i: {(extent.header.namespace, extent.data.part): extent.data.records for extent in held}
        for i, held in extents.items()
    }
