"""The replacement of a failed node: what was asked for, what was seen, and what was decided."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from aerokeep.model.cluster import ClusterConfig, ClusterName, DataPolicy
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.machine import Machine, StatusChecks
from aerokeep.model.wire import Instant, Wire


class ReplaceRequest(Wire):
    """The execution input of ``replace-node``, by hand."""

    cluster: ClusterName
    node: str = Field(min_length=1, max_length=64)
    """A node-id, or a private IP."""
    data: DataPolicy | None = None
    """Overrides the cluster's policy for this replacement."""


class AlarmRequest(Wire):
    """The execution input of ``replace-node``, from an alarm's change of state."""

    alarm: str
    instance: str | None = None
    """The instance that the alarm watches."""


class ReplaceOrder(Wire):
    """The request, and what this run keeps, whatever is deployed or written while it goes on."""

    request: ReplaceRequest
    """Its ``node`` is a node-id."""
    alarm: str | None
    """The alarm that asked for it; None: a person did."""
    config: ClusterConfig
    node: NodeInventory
    peers: tuple[NodeInventory, ...]

    @property
    def everyone(self) -> tuple[NodeInventory, ...]:
        """All nodes of the cluster as it should be."""
        return (self.node, *self.peers)


class Word(StrEnum):
    """What a host said when it was asked for its server's health."""

    SERVER_ANSWERS = "server_answers"
    SERVER_SILENT = "server_silent"
    """The host answers, its server does not."""
    UNHEARD = "unheard"


class PeerView(Wire):
    """What one other node of the cluster sees."""

    node_id: str
    word: Word
    sees: tuple[str, ...] = ()
    """The node-ids that it has in its cluster, besides itself."""
    cluster_key: str = ""
    integrity: bool = False
    migrations_remaining: int = 0
    missing_partitions: int = 0
    """Unavailable and dead ones, over all namespaces."""


class LastReplacement(Wire):
    """The cluster's last replacement, as the catalog has it."""

    node_id: str
    run_id: str
    at: Instant


class Facts(Wire):
    """Everything that a diagnosis is made of."""

    node: NodeInventory
    machine: Machine
    checks: StatusChecks
    word: Word
    """What the node's own host said."""
    peers: tuple[PeerView, ...]
    by_alarm: bool
    last: LastReplacement | None


class Verdict(Wire):
    """Whether the node is replaced."""

    decision: Literal["replace", "wait", "refuse"]
    """``wait``: the facts may still become clear; when patience is over, it counts as a refusal."""
    code: str
    reasons: tuple[str, ...]

    @property
    def message(self) -> str:
        """The verdict in a line."""
        return f"{self.code}: {'; '.join(self.reasons)}"


class DataChoice(Wire):
    """What the node begins with."""

    data: Literal["reattach", "empty"]
    reason: str
    emptied: tuple[str, ...]
    """Namespaces that come back empty and are filled by the peers."""


class Report(Wire):
    """What became of it: the output of a successful execution."""

    node: str
    ip: str
    instance: str
    replaced_instance: str
    same_ip: bool
    same_mac: bool
    same_node_id: bool
    data: str
    reason: str
    """Why the data were chosen so."""
    recovery_s: float
