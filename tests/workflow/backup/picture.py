"""Everything that a refused backup must not have touched, as plain values that can be compared."""

from pathlib import Path
from typing import Any

from sandbox.dataplane.processes import mounts, pids
from tests.workflow.backup.estate import Estate
from tests.workflow.backup.small_cluster import SmallCluster


def picture(estate: Estate, *clusters: SmallCluster) -> dict[str, Any]:
    """Take a picture of EC2, the servers' settings, the mounts and the hosts' run directories."""
    ec2 = estate.region.client("ec2")
    found: dict[str, Any] = {
        "snapshots": ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "volumes": ec2.describe_volumes()["Volumes"],
        "instances": [r["Instances"] for r in ec2.describe_instances()["Reservations"]],
        "interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
        "tags": ec2.describe_tags()["Tags"],
        "mounts": sorted({f"{pid} {m.mount_point}" for pid in pids() for m in mounts(pid) if _ours(estate, m.text)}),
        "run directories": run_directories(estate),
    }
    for cluster in clusters:
        found |= settings(cluster)
        found |= {f"{instance_id} changes": _changes(estate.plane.host_dir(instance_id)) for instance_id in cluster.ids}
    return found


def settings(cluster: SmallCluster) -> dict[str, str]:
    """What every server of a cluster says of its settings."""
    found = {}
    for instance_id in cluster.ids:
        contexts = [f"namespace;id={name}" for name in cluster.ask(instance_id, "namespaces").split(";")]
        for context in (*contexts, "service", "network"):
            found[f"{instance_id} {context}"] = cluster.ask(instance_id, f"get-config:context={context}")
    return found


def run_directories(estate: Estate) -> list[str]:
    """What lies below ``/run/aerokeep`` of every node, but for the host program itself."""
    nodes = estate.plane.workdir / "nodes"
    found = [path.relative_to(nodes) for path in nodes.glob("*/run/aerokeep/**/*")]
    return sorted(str(path) for path in found if "program" not in path.parts)


def _ours(estate: Estate, text: str) -> bool:
    return estate.plane.workdir.name in text


def _changes(work_directory: Path) -> str:
    """What the stand-in noted of changed settings, so that a change that was taken back shows too."""
    noted = work_directory / "changes.log"
    return noted.read_text() if noted.exists() else ""
