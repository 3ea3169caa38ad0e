"""Bring back nodes whose instances are gone: the same private addresses, new instances, and their servers kept off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.interfaces import Interfaces
from aerokeep.aws.launching import Launches
from aerokeep.aws.machines import Machines
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import CorruptError, NotReadyError, RejectedError
from aerokeep.model.inventory import NodeInventory
from aerokeep.model.machine import GONE, Interface, Machine
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.relaunch import client_token, launch_request
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.step import Clock, logger

IN_USE = "aws_InvalidNetworkInterface.InUse"
MOST_LAUNCHES_AT_ONCE = 5
"""RunInstances has a bucket of 5 that refills 2 a second (aws.md §0.8)."""
MOST_ATTEMPTS = 3


class Launch(Wire):
    """How far one node is; stands in the vault between two looks."""

    attempt: int = 1
    """A launch that ends before it has run is made again, under another token."""
    interface_id: str | None = None
    instance_id: str | None = None


class Returned(Wire):
    """A node that is back: its instance runs, SSM reaches it, and its server's unit is masked."""

    instance_id: str
    interface_id: str
    mac_address: str
    same_interface: bool
    """Otherwise its MAC is another, of which the server would make another node-id."""


@dataclass(frozen=True)
class Look:
    """One look of one run."""

    request: RunRef
    runs: Runs
    catalog: Catalog
    clock: Clock
    patience_s: float
    """For each slow part: the release of the address, the launch, the boot, the agent."""

    def read(self, node: NodeInventory) -> Launch:
        """How far the node is."""
        return self.runs.find(self.request, f"launch-{node.node_id}", Launch) or Launch()

    def write(self, node: NodeInventory, launch: Launch) -> Launch:
        """Write it down."""
        self.runs.write(self.request, f"launch-{node.node_id}", launch)
        return launch

    def wait(self, what: str, node: NodeInventory, *, why: str) -> None:
        """Let the next look see, unless patience is over.

        Raises:
            NotReadyError: ``why``.

        """
        now = self.clock()
        if now >= since(self.runs, self.request, f"{what}-{node.node_id}", now=now) + timedelta(
            seconds=self.patience_s
        ):
            raise NotReadyError(why)


class Relauncher:
    """What a relaunch asks of AWS and of hosts; each look does what can be done by then, and can be redone."""

    def __init__(self, *, machines: Machines, interfaces: Interfaces, launches: Launches, hosts: Hosts) -> None:
        self._machines, self._interfaces, self._launches, self._hosts = machines, interfaces, launches, hosts

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            machines=Machines.from_environment(),
            interfaces=Interfaces.from_environment(),
            launches=Launches.from_environment(),
            hosts=Hosts.from_environment(),
        )

    def look(self, look: Look, nodes: Sequence[NodeInventory]) -> dict[str, Returned] | None:
        """Bring the nodes one step further → by node-id, once all are back; None: look again.

        Raises:
            RejectedError: ``interface_taken``, ``ip_taken``: a stranger has what a node needs.
            NotReadyError: ``no_capacity``, ``address_held``, ``launch_failed``, ``not_running``, ``not_done`` (SSM is
                silent, or the unit is not masked), ``server_runs``: nothing may be attached to it.
            CorruptError: an instance has another address than its node.

        """
        running: dict[str, Machine] = {}
        launches = 0
        for node in nodes:
            launch = look.read(node)
            if launch.instance_id is None and launches < MOST_LAUNCHES_AT_ONCE:
                launch = self._launch(look, node, launch)
                launches += 1
            machine = self._running(look, node, launch)
            if machine is not None:
                running[node.node_id] = machine
        if running and not self._kept_off(look, running):
            return None
        if len(running) < len(nodes):
            return None
        return {node.node_id: _returned(node, running[node.node_id]) for node in nodes}

    def _kept_off(self, look: Look, running: dict[str, Machine]) -> bool:
        """Whether all hosts say that their servers are down and can't start: before that nothing is attached."""
        asker = Asker(look.request, runs=look.runs, catalog=look.catalog, hosts=self._hosts, clock=look.clock)
        ids = [machine.instance_id for machine in running.values()]
        asked = asker.until(
            "survey", ids, lambda _: {}, accept=_is_kept_off, deadline_s=look.patience_s, name="kept-off"
        )
        return asked is not None

    def _launch(self, look: Look, node: NodeInventory, launch: Launch) -> Launch:
        interface = self._free_interface(look, node, launch)
        if interface is None:
            return launch
        if interface != launch.interface_id:
            launch = look.write(node, launch.model_copy(update={"interface_id": interface}))
        run_id = look.request.run_id
        request = launch_request(node, interface_id=interface, cluster=look.request.cluster, run_id=run_id)
        look.catalog.require(look.request)
        try:
            instance_id = self._launches.launch(request, client_token=_token(look, node, launch))
        except RejectedError as error:
            if error.code != IN_USE:
                raise
            look.wait("address", node, why=f"address_held: {interface} is not released: {error}")
            return launch
        except NotReadyError as error:
            why = (
                f"no_capacity: {node.instance_type} in {node.zone}: {error}: start again later, reserve capacity, "
                "or change the type in the inventory"
            )
            look.wait(f"capacity-{launch.attempt}", node, why=why)
            logger.warning("no capacity yet", node=node.node_id, reason=str(error))
            return launch
        logger.info("instance launched", node=node.node_id, instance=instance_id, interface=interface)
        return look.write(node, launch.model_copy(update={"instance_id": instance_id}))

    def _free_interface(self, look: Look, node: NodeInventory, launch: Launch) -> str | None:
        """The interface to launch with: the node's own, else a new one with its address; None: not released yet."""
        found = self._interfaces.seen(launch.interface_id or node.network_interface_id)
        if found is None:
            return self._new_interface(look, node)
        if found.status == "available":
            return found.interface_id
        holder = self._machines.seen([found.instance_id])[found.instance_id] if found.instance_id else None
        if holder is not None and holder.client_token == _token(look, node, launch):
            return found.interface_id  # ours, of a launch whose answer was lost: the token finds it again
        if found.status == "in-use" and (holder is None or holder.state not in {*GONE, "shutting-down"}):
            raise RejectedError(_taken(node, found))
        look.wait("address", node, why=f"address_held: {found.interface_id} is {found.status} after its instance's end")
        return None

    def _new_interface(self, look: Look, node: NodeInventory) -> str | None:
        """The node's own is gone: make one with its address, unless somebody has that by now."""
        run_id = look.request.run_id
        holder = self._interfaces.holding(node.private_ip, subnet_id=node.subnet_id)
        if holder is not None:
            if holder.tags.get("aerokeep:run") == run_id and holder.tags.get("aerokeep:node") == node.node_id:
                return holder.interface_id
            raise RejectedError(
                f"ip_taken: {node.private_ip} of node {node.node_id} belongs to {holder.interface_id} "
                f"({holder.instance_id or holder.status}) by now: free the address, and start again"
            )
        look.catalog.require(look.request)
        made = self._interfaces.create(
            subnet_id=node.subnet_id,
            private_ip=node.private_ip,
            groups=node.security_groups,
            tags={"aerokeep:cluster": look.request.cluster, "aerokeep:node": node.node_id, "aerokeep:run": run_id},
            client_token=client_token(run_id, node.node_id, "interface"),
        )
        logger.info("interface made", node=node.node_id, interface=made, private_ip=node.private_ip)
        return made

    def _running(self, look: Look, node: NodeInventory, launch: Launch) -> Machine | None:
        if launch.instance_id is None:
            return None
        machine = self._machines.seen([launch.instance_id])[launch.instance_id]
        if machine.state in {"shutting-down", "terminated"}:
            why = f"{machine.instance_id} for node {node.node_id} ended: {machine.state_reason or 'no reason given'}"
            if launch.attempt >= MOST_ATTEMPTS:
                raise NotReadyError(f"launch_failed: {why}: correct what AWS names, and start again")
            logger.warning("launch failed", node=node.node_id, reason=why)
            look.write(node, launch.model_copy(update={"attempt": launch.attempt + 1, "instance_id": None}))
            return None
        if machine.state != "running":  # pending, or not listed yet
            look.wait(
                f"boot-{launch.attempt}", node, why=f"not_running: {machine.instance_id} is {machine.state}: see EC2"
            )
            return None
        primary = machine.primary
        if primary is None or primary.private_ip != node.private_ip:
            raise CorruptError(f"address_differs: {machine.instance_id} does not have {node.private_ip}")
        return machine


def _token(look: Look, node: NodeInventory, launch: Launch) -> str:
    return client_token(look.request.run_id, node.node_id, str(launch.attempt))


def _taken(node: NodeInventory, interface: Interface) -> str:
    return (
        f"interface_taken: {interface.interface_id} with {node.private_ip} of node {node.node_id} is attached to "
        f"{interface.instance_id or 'something that is no instance'}: detach it, and start again"
    )


def _is_kept_off(body: dict[str, Any]) -> bool:
    """Whether a survey says that the server is down and can't start.

    Raises:
        NotReadyError: it runs.

    """
    asd = body.get("asd") or {}
    if asd.get("running"):
        raise NotReadyError(
            "server_runs: the database of a relaunched instance runs before its volumes are back: stop and mask "
            "aerospike.service there, and start again"
        )
    return bool((asd.get("unit") or {}).get("masked"))


def _returned(node: NodeInventory, machine: Machine) -> Returned:
    primary = machine.primary
    if primary is None:
        raise CorruptError(f"address_differs: {machine.instance_id} does not have {node.private_ip}")
    return Returned(
        instance_id=machine.instance_id,
        interface_id=primary.interface_id,
        mac_address=primary.mac_address,
        same_interface=primary.interface_id == node.network_interface_id,
    )
