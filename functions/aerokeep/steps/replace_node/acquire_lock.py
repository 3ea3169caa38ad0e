"""State ``AcquireLock``: check the input, find the node in the inventory, and take the cluster's lock."""

from datetime import datetime

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Configurations
from aerokeep.aws.vault import Inventories, Runs
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.errors import ConflictError, RejectedError
from aerokeep.model.inventory import Inventory, NodeInventory
from aerokeep.model.replacement import AlarmRequest, ReplaceOrder, ReplaceRequest
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.wire import Wire
from aerokeep.rules.alarms import watched_by
from aerokeep.steps.shared.starting_out import Start, parse_request
from aerokeep.steps.step import logger, step


class Output(Wire):
    """A run to go on with, or the reason why an alarm is not followed."""

    run: RunRef | None
    suppressed: bool = False
    reason: str = ""


def run(
    request: Start, *, configurations: Configurations, catalog: Catalog, runs: Runs, inventories: Inventories
) -> Output:
    """Take the lock after everything that can be refused was refused; an alarm that is not followed is no failure.

    Raises:
        RejectedError: an unknown cluster or node, an unknown or wrong field, or no inventory yet.
        ConflictError: another execution holds the cluster, or it was halted with another request.

    """
    if "alarm" not in request.request:
        asked = parse_request(ReplaceRequest, request.request)
        node, inventory = _find(asked.cluster, asked.node, inventories)
        config = configurations.of_cluster(asked.cluster)
        order = _order(asked, None, config, node, inventory)
        return _take(order, request, catalog, runs)
    told = parse_request(AlarmRequest, request.request)
    try:
        order = _of_alarm(told, configurations, inventories)
        _not_at_work(order, request, catalog)
        return _take(order, request, catalog, runs)
    except (_NotFollowedError, ConflictError) as error:
        logger.info("alarm not followed", alarm=told.alarm, reason=str(error))
        return Output(run=None, suppressed=True, reason=str(error))


class _NotFollowedError(Exception):
    """Why nothing is done about an alarm."""


def _find(cluster: str, name: str, inventories: Inventories) -> tuple[NodeInventory, Inventory]:
    inventory = inventories.newest(cluster)
    if inventory is None:
        raise RejectedError(f"no_inventory: nothing is known of the nodes of {cluster}: run protect, or take a backup")
    node = inventory.node(name)
    if node is None:
        known = ", ".join(f"{node.node_id} ({node.private_ip})" for node in inventory.nodes)
        raise RejectedError(f"unknown_node: field 'node': {name!r} is no node of {cluster}; known are {known}")
    return node, inventory


def _of_alarm(told: AlarmRequest, configurations: Configurations, inventories: Inventories) -> ReplaceOrder:
    watched = watched_by(told.alarm)
    if watched is None:
        raise _NotFollowedError(f"{told.alarm} watches no node")
    config = configurations.of_cluster(watched.cluster)
    if not config.replace.automatic:
        raise _NotFollowedError(f"replace.automatic is false for cluster {watched.cluster}")
    node, inventory = _find(watched.cluster, watched.node_id, inventories)
    if told.instance is not None and told.instance != node.instance_id:
        raise _NotFollowedError(f"{told.instance} is no longer node {node.node_id}: that is {node.instance_id} now")
    asked = ReplaceRequest(cluster=watched.cluster, node=node.node_id)
    return _order(asked, told.alarm, config, node, inventory)


def _order(
    asked: ReplaceRequest, alarm: str | None, config: ClusterConfig, node: NodeInventory, inventory: Inventory
) -> ReplaceOrder:
    return ReplaceOrder(
        request=asked.model_copy(update={"node": node.node_id}),
        alarm=alarm,
        config=config,
        node=node,
        peers=tuple(other for other in inventory.nodes if other.node_id != node.node_id),
    )


def _not_at_work(order: ReplaceOrder, request: Start, catalog: Catalog) -> None:
    """An alarm neither competes for a cluster nor goes on with what was halted: that takes a person."""
    standing = catalog.standing(order.request.cluster)
    if standing is not None and standing.run.execution != request.execution:
        raise _NotFollowedError(f"{standing.run.journey} {standing.run.run_id} has the cluster ({standing.state})")


def _take(order: ReplaceOrder, request: Start, catalog: Catalog, runs: Runs) -> Output:
    wanted = new_run(order.request.cluster, execution=request.execution, started_at=request.started_at)
    held = catalog.acquire(wanted, request=order.request.model_dump_json())
    kept = runs.find(held, "order", ReplaceOrder)
    # A run that goes on keeps the node as it was before; that a person wants it now counts for more than the alarm.
    runs.write(held, "order", order if kept is None else kept.model_copy(update={"alarm": order.alarm}))
    return Output(run=held)


def new_run(cluster: str, *, execution: str, started_at: datetime) -> RunRef:
    """The run that this execution would be."""
    return RunRef(
        cluster=cluster,
        journey="replace-node",
        run_id=run_id(cluster, "replace-node", started_at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


handler = step(run)
