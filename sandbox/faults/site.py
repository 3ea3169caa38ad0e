"""Where a plan is armed: the region, its nodes by the names that a plan gives them, and whose Lambda calls."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.faults import known
from sandbox.faults.parts import ALL, NodeName
from sandbox.region import ApiCall, Region
from sandbox.region.lambdas.fleet import Work

GONE = ("shutting-down", "terminated")
Moto = Any


@dataclass(frozen=True)
class Site:
    """A region in which a plan is armed."""

    region: Region
    cluster: str | None = None
    """Only nodes that carry this value in some tag have numbers; by default all instances."""
    execution: str | None = None
    """Only Lambdas that work for this execution (an ARN) are struck; by default all."""

    # -- nodes

    def nodes(self, name: NodeName) -> list[str]:
        """The instance ids that a plan means."""
        return [i for i in (str(instance.id) for instance in self._instances()) if self.is_node(i, name)]

    def is_node(self, instance_id: str, name: NodeName) -> bool:
        """Whether an instance is the node that a plan means."""
        numbered = [str(instance.id) for instance in self._instances()]
        if instance_id not in numbered:
            return False
        if name == ALL:
            return True
        if isinstance(name, int):
            return numbered.index(instance_id) == name - 1
        instance = next(i for i in self._instances() if i.id == instance_id)
        names = {str(value) for key, value in _tags(instance).items() if key == "Name"}
        known_as = {instance_id, str(instance.private_ip), *names, *(n.rpartition("-")[2] for n in names)}
        return name.lower() in {known.lower() for known in known_as}

    def number(self, instance_id: str) -> str:
        """``node 2 (i-…)``."""
        numbered = [str(instance.id) for instance in self._instances()]
        place = str(numbered.index(instance_id) + 1) if instance_id in numbered else "?"
        return f"node {place} ({instance_id})"

    def _instances(self) -> list[Moto]:
        found = [i for i in self.region.ec2.all_instances() if i.state not in GONE]
        if self.cluster is not None:
            found = [i for i in found if self.cluster in _tags(i).values()]
        return sorted(found, key=lambda i: [int(part) for part in str(i.private_ip).split(".")])

    def node_in(self, params: Mapping[str, Any], name: NodeName) -> bool:
        """Whether a request names a node's instance id; all requests do where all nodes are meant."""
        if name == ALL:
            return True
        told = json.dumps(params, default=str)
        return any(instance_id in told for instance_id in self.nodes(name))

    # -- Lambdas

    def works_at(self, work: Work, state: str) -> bool:
        """Whether a Lambda works at the state that a plan names, for an execution that is meant."""
        handlers = {found.handler for found in known.states_named(state)}
        return work.function.handler in handlers and self.works_for(work)

    def works_for(self, work: Work) -> bool:
        """Whether a Lambda works for an execution that is meant."""
        return self.execution is None or self.execution == work.execution

    def caller(self, call: ApiCall) -> Work | None:
        """The Lambda that calls, if one does."""
        return self.region.fleet.caller(call.session)


def _tags(instance: Moto) -> Mapping[str, str]:
    held: Iterable[Mapping[str, str]] = instance.get_tags()
    return {tag["key"]: tag["value"] for tag in held}
