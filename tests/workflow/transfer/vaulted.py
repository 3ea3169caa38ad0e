"""Light clusters, their exports, and what a run of either journey has touched."""

import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from sandbox.light.content import Data
from sandbox.light.host import Host
from sandbox.light.launch import LightCluster
from sandbox.light.server import Namespace
from sandbox.region import ApiCall
from tests.crash.field import Execution, Field
from tests.crash.journeys import done
from tests.workflow.restore.recorded import touching

NAMES = (f"vaulted-{number}" for number in count())
OF_A_JOB = frozenset({"status"})
"""It only asks, where no run is named."""
WRITE_STOP = {"lead_s": 3, "lease_s": 10, "budget_s": 8}


def launched(field: Field, **settings: Any) -> LightCluster:  # noqa: ANN401 - any field of a configuration
    """A cluster with a name that no other has."""
    return field.launch(next(NAMES), **settings)


def run(field: Field, journey: str, cluster: LightCluster, **request: Any) -> Execution:  # noqa: ANN401 - any input
    """Runs are named to the second, so two of one journey never begin within one."""
    time.sleep(1.0 - time.time() % 1.0)
    return field.run(journey, next(NAMES), {"cluster": cluster.name, **request})


def exported(field: Field, cluster: LightCluster, **request: Any) -> str:  # noqa: ANN401 - any field
    """The id of a new export."""
    return str(done(run(field, "export", cluster, **request)).output["export"])


def wiped(cluster: LightCluster) -> LightCluster:
    """All records are lost."""
    with cluster.plane.lock:
        for server in cluster.servers():
            for namespace in server.namespaces:
                server.put(namespace, Data())
    return cluster


def hosts_of(cluster: LightCluster) -> list[Host]:
    """Every host of a cluster."""
    return [cluster.plane.host(member.instance_id) for member in cluster.members]


def namespaces_of(cluster: LightCluster, name: str = "test") -> Iterator[Namespace]:
    """A namespace on each node."""
    for server in cluster.servers():
        yield server.namespaces[name]


def with_tools(cluster: LightCluster, version: str) -> LightCluster:
    """Every host has tools of a version."""
    for host in hosts_of(cluster):
        host.tool_version = version
    return cluster


def full(cluster: LightCluster, timeline: str) -> bool:
    """Every node holds all records of a timeline in both namespaces."""
    return all(told == {"test": timeline, "raw": timeline} for told in cluster.timelines().values())


def manifests(field: Field, cluster: str) -> dict[str, Mapping[str, Any]]:
    """Export id → what stands under its manifest's key, of all that have left an object."""
    prefix = f"clusters/{cluster}/exports/"
    ids = {key.removeprefix(prefix).split("/")[0] for key in field.sizes(prefix)}
    return {export_id: field.json(f"{prefix}{export_id}/manifest.json") for export_id in sorted(ids)}


def entry(field: Field, cluster: str, export_id: str) -> dict[str, str]:
    """The catalog's entry of an export; empty where there is none."""
    key = {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": f"export#{export_id}"}}
    found = field.region.client("dynamodb").get_item(TableName=field.outputs["CatalogName"], Key=key)
    return {name: str(next(iter(value.values()))) for name, value in found.get("Item", {}).items()}


def beyond_questions(calls: list[ApiCall]) -> list[str]:
    """What touches anything: asking a host what it has, for no run, does not."""
    questions = [call for call in calls if _only_asks(call)]
    return touching([call for call in calls if call not in questions])


def _only_asks(call: ApiCall) -> bool:
    if (call.service, call.action) != ("ssm", "SendCommand"):
        return False
    verb = str(call.params["DocumentName"]).rpartition("aerokeep-")[2]
    return verb in OF_A_JOB and call.params["Parameters"]["Run"] == ["none"]
