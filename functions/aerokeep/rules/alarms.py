"""Which alarms watch a node, and whose an alarm is."""

import re
from collections.abc import Collection, Iterable

from aerokeep.model.alarm import Alarm
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.metric import Datum
from aerokeep.model.wire import Wire

STATUS_CHECK, ASD_SILENT = "status-check", "asd-silent"
ANSWERS = "AsdAnswers"
"""The metric of ``health``: 1 where the node's server answers, or its peers have it in the cluster; else 0."""
PERIOD_S = 60
SILENT_PERIODS = 3
_NAME = re.compile(
    rf"aerokeep-(?P<cluster>[a-z][a-z0-9-]{{0,39}})-node-(?P<node>[0-9A-F]+)-({STATUS_CHECK}|{ASD_SILENT})"
)


class Watched(Wire):
    """The node that an alarm watches."""

    cluster: str
    node_id: str


def node_prefix(cluster: str) -> str:
    """How the names of a cluster's node alarms begin; another cluster's may begin so too."""
    return f"aerokeep-{cluster}-node-"


def watched_by(alarm_name: str) -> Watched | None:
    """Whose the alarm is, or None where it is no node's."""
    found = _NAME.fullmatch(alarm_name)
    return None if found is None else Watched(cluster=found["cluster"], node_id=found["node"])


def wanted_alarms(cluster: str, nodes: Iterable[NodeInventory]) -> dict[str, Alarm]:
    """The two alarms of each node, by name: EC2's status checks fail, and the server is silent.

    Both are told of by EventBridge, whoever is listening; neither acts by itself.
    """
    alarms = []
    for node in nodes:
        named = f"{node_prefix(cluster)}{node.node_id}"
        where = f"node {node.node_id} ({node.private_ip}) of cluster {cluster}"
        alarms += [
            Alarm(
                name=f"{named}-{STATUS_CHECK}",
                description=f"Aerokeep: EC2's status checks of {where} fail",
                namespace="AWS/EC2",
                metric="StatusCheckFailed",
                dimensions={"InstanceId": node.instance_id},
                statistic="Maximum",
                comparison="GreaterThanOrEqualToThreshold",
                threshold=1,
                period_s=PERIOD_S,
                periods=2,
                missing="breaching",
            ),
            Alarm(
                name=f"{named}-{ASD_SILENT}",
                description=f"Aerokeep: the server of {where} is silent",
                namespace="Aerokeep",
                metric=ANSWERS,
                dimensions={"cluster": cluster, "node": node.node_id, "InstanceId": node.instance_id},
                statistic="Minimum",
                comparison="LessThanThreshold",
                threshold=1,
                period_s=PERIOD_S,
                periods=SILENT_PERIODS,
                missing="breaching",
            ),
        ]
    return {alarm.name: alarm for alarm in alarms}


def first_words(cluster: str, nodes: Iterable[NodeInventory], alarm_names: Collection[str]) -> list[Datum]:
    """What the metric of nodes that answer is to say before their alarms of silence are made.

    Args:
        cluster: its name.
        nodes: those that answer.
        alarm_names: the alarms that are about to be made.

    """
    return [
        Datum(name=ANSWERS, value=1, dimensions=alarm.dimensions)
        for name, alarm in sorted(wanted_alarms(cluster, nodes).items())
        if alarm.metric == ANSWERS and name in alarm_names
    ]
