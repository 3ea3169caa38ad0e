"""Ask a cluster's nodes, and whoever may run a tool, what they are and what they have."""

from collections.abc import Iterable
from datetime import datetime

from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterConfig, ExportPolicy, RunnerChoice
from aerokeep.model.errors import RejectedError
from aerokeep.model.health import NodeHealth
from aerokeep.model.instance import Instance
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Survey
from aerokeep.model.transfer import JobStatus, Runner
from aerokeep.model.transfer_order import Server
from aerokeep.model.wire import Wire
from aerokeep.rules.runners import Candidate, rank
from aerokeep.steps.shared.asking import Asked, heard
from aerokeep.steps.step import Clock

NO_RUN = "none"
EVERYWHERE = "127.0.0.1"
"""How a host tells that its server listens on every address of it."""


class Around(Wire):
    """Who is there, and the questions under way."""

    nodes: tuple[Instance, ...]
    others: tuple[Instance, ...]
    """Instances beside the cluster that may run a tool."""
    deaf: tuple[str, ...]
    """Instances that SSM does not reach."""
    asked: dict[str, Asked]
    """By verb."""


class Answers(Wire):
    """What they said, by instance id."""

    around: Around
    healths: dict[str, NodeHealth]
    facts: dict[str, JobStatus]
    surveys: dict[str, Survey]
    unheard: dict[str, str]
    """Who did not answer a question, and what it said instead."""

    @property
    def server(self) -> Server:
        """A node that answers, which a runner beside the cluster asks first."""
        return self.servers[min(self.healths)]

    @property
    def servers(self) -> dict[str, Server]:
        """Where each node's server is reached from other hosts, too."""
        found = {}
        for node in self.around.nodes:
            if (health := self.healths.get(node.instance_id)) is not None:
                own = health.asd.address
                address = node.private_ip if own == EVERYWHERE else own
                found[node.instance_id] = Server(address=address, port=health.asd.port)
        return found


def look_around(
    run: RunRef, config: ClusterConfig, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock
) -> Answers | None:
    """Ask the first time, look for answers after that → None while somebody still answers.

    Raises:
        RejectedError: nobody carries the tag, or no node's server answers.

    """
    name = f"around-{run.epoch}"
    around = runs.find(run, name, Around)
    if around is None:
        around = _ask(config, instances, hosts, now=clock())
        runs.write(run, name, around)
    replies: dict[str, dict[str, HostReply]] = {}
    unheard = dict.fromkeys(around.deaf, "is not reached through SSM")
    for verb, asked in around.asked.items():
        told = hosts.replies(asked.command_ids, asked.instance_ids)
        good = heard(told, deadline=asked.deadline, now=clock())
        if good is None:
            return None
        replies[verb] = good
        unheard |= {i: f"{verb}: {reply.refusal}" for i, reply in told.items() if i not in good}
    answers = Answers(
        around=around,
        healths={i: NodeHealth.model_validate(reply.body) for i, reply in replies["health"].items()},
        facts={i: JobStatus.model_validate(reply.body) for i, reply in replies["status"].items()},
        surveys={i: Survey.model_validate(reply.body) for i, reply in replies.get("survey", {}).items()},
        unheard=unheard,
    )
    if not answers.healths:
        told_why = "; ".join(f"{i} {why}" for i, why in sorted(unheard.items()))
        raise RejectedError(f"no_server: no server of {config.name} answers: {told_why}")
    return answers


def _ask(config: ClusterConfig, instances: Instances, hosts: Hosts, *, now: datetime) -> Around:
    policy = config.export
    nodes = _running(instances.of_tag(config.tag))
    if not nodes:
        raise RejectedError(
            f"empty_tag_match: no running instance carries the tag {config.tag.key}={config.tag.value} of cluster "
            f"{config.name}: tag its nodes, or correct the tag in clusters.yaml"
        )
    tagged = policy.runner is RunnerChoice.TAGGED and policy.runner_tag is not None
    others = _running(instances.of_tag(policy.runner_tag)) if tagged and policy.runner_tag else ()
    everyone = {instance.instance_id for instance in (*nodes, *others)}
    listening = hosts.listening(everyone)
    of_nodes = sorted({node.instance_id for node in nodes} & listening)
    runners = sorted({other.instance_id for other in others} & listening) if tagged else of_nodes
    wanted = {"health": of_nodes, "status": runners}
    if policy.runner is RunnerChoice.EACH_RACK:
        wanted["survey"] = of_nodes
    asked = {verb: _asked(verb, ids, hosts, now=now) for verb, ids in wanted.items()}
    return Around(nodes=nodes, others=others, deaf=tuple(sorted(everyone - listening)), asked=asked)


def _asked(verb: str, instance_ids: Iterable[str], hosts: Hosts, *, now: datetime) -> Asked:
    wanted = sorted(instance_ids)
    parameters = {"Run": NO_RUN} if verb == "status" else {}
    commands, reached = hosts.send_where_heard(verb, wanted, parameters) if wanted else ([], set())
    return Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(reached)), asked_at=now)


def _running(found: Iterable[Instance]) -> tuple[Instance, ...]:
    return tuple(instance for instance in found if instance.state == "running")


def runners_of(answers: Answers, policy: ExportPolicy, *, tool: str) -> tuple[Runner, ...]:
    """Who can run a tool, the best first.

    Raises:
        RejectedError: nobody.

    """
    servers = answers.servers
    candidates = [
        Candidate(
            instance_id=instance_id,
            node_id=health.node_id if (health := answers.healths.get(instance_id)) else None,
            server=servers.get(instance_id),
            rack_id=_rack_of(answers.surveys.get(instance_id)),
            facts=status.facts,
        )
        for instance_id, status in answers.facts.items()
        if status.facts is not None
    ]
    return rank(candidates, answers.unheard, policy, tool=tool)


def _rack_of(survey: Survey | None) -> int | None:
    return survey.namespaces[0].rack_id if survey is not None and survey.namespaces else None
