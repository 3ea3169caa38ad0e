"""State ``AskNodes``: ask every host of every cluster for its server's health, and don't wait for the answers."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Configurations, Hosts
from aerokeep.aws.vault import Inventories, Runs
from aerokeep.model.cluster import ClusterConfig, ClusterName
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.wire import Instant, Wire
from aerokeep.steps.shared.asking import Asked
from aerokeep.steps.shared.yielding import rebuilt_by
from aerokeep.steps.step import logger, step


class HealthRequest(Wire):
    """The execution input of ``health``."""

    cluster: ClusterName | None = None
    """None: every cluster that was deployed."""
    scheduled_time: Instant | None = None


class Input(Wire):
    """What Step Functions knows at the start."""

    request: HealthRequest
    execution: str
    started_at: Instant


class HealthRound(Wire):
    """The question to one cluster; stands in the vault until it is answered."""

    asked: Asked
    nodes: dict[str, str]
    """Instance id → node-id, by the inventory."""


class Output(Wire):
    """One round for each cluster that was asked."""

    rounds: tuple[RunRef, ...]
    asked: int


def run(
    request: Input,
    *,
    configurations: Configurations,
    catalog: Catalog,
    instances: Instances,
    hosts: Hosts,
    inventories: Inventories,
    runs: Runs,
) -> Output:
    """A cluster that is being put together is left alone: its nodes are silent on purpose.

    Raises:
        RejectedError: no such cluster was deployed.

    """
    name = request.request.cluster
    configs = configurations.all() if name is None else {name: configurations.of_cluster(name)}
    rounds = []
    for config in configs.values():
        if (standing := rebuilt_by(config.name, catalog)) is not None:
            logger.info("cluster left alone", cluster=config.name, held_by=standing.run.run_id)
            continue
        run_ = RunRef(
            cluster=config.name,
            journey="health",
            run_id=run_id(config.name, "health", request.started_at),
            epoch=0,
            execution=request.execution,
            started_at=request.started_at,
        )
        asked, nodes = _ask(config, request, instances, hosts, inventories)
        runs.write(run_, "round", HealthRound(asked=asked, nodes=nodes))
        rounds.append(run_)
    return Output(rounds=tuple(rounds), asked=len(rounds))


def _ask(
    config: ClusterConfig, request: Input, instances: Instances, hosts: Hosts, inventories: Inventories
) -> tuple[Asked, dict[str, str]]:
    inventory = inventories.newest(config.name)
    nodes = {node.instance_id: node.node_id for node in inventory.nodes} if inventory else {}
    running = [node.instance_id for node in instances.of_tag(config.tag) if node.state == "running"]
    listening = hosts.listening(running) if running else set()
    commands, reached = hosts.send_where_heard("health", listening) if listening else ([], set())
    asked = Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(reached)), asked_at=request.started_at)
    return asked, nodes


handler = step(run)
