"""State ``DiscoverCluster``: find the cluster's instances by tag and have every host survey itself."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import RejectedError
from aerokeep.model.instance import Instance
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Survey
from aerokeep.model.wire import Wire
from aerokeep.steps.backup.acquire_lock import Order
from aerokeep.steps.shared.asking import Asked, Progress, settled
from aerokeep.steps.step import Clock, step


class Found(Wire):
    """EC2's view, and the survey under way."""

    instances: tuple[Instance, ...]
    asked: Asked


class Surveys(Wire):
    """The hosts' view by instance id."""

    surveys: dict[str, Survey]


def run(request: RunRef, *, runs: Runs, catalog: Catalog, instances: Instances, hosts: Hosts, clock: Clock) -> Progress:
    """Start the surveys the first time, look for answers after that.

    Raises:
        RejectedError: no instance has the tag, one is not running, or one is not reached by SSM.
        NotReadyError: a host did not answer.

    """
    found = runs.find(request, "found", Found)
    if found is None:
        catalog.require(request)
        found = _begin(request, runs=runs, instances=instances, hosts=hosts, clock=clock)
    replies = hosts.replies(found.asked.command_ids, found.asked.instance_ids)
    if not settled("survey", replies, deadline=found.asked.deadline, now=clock()):
        return Progress(done=False)
    surveys = {instance_id: Survey.model_validate(reply.body) for instance_id, reply in replies.items()}
    runs.write(request, "surveys", Surveys(surveys=surveys))
    return Progress(done=True)


def _begin(request: RunRef, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> Found:
    tag = runs.read(request, "order", Order).config.tag
    nodes = instances.of_tag(tag)
    if not nodes:
        raise RejectedError(
            f"empty_tag_match: no instance carries the tag {tag.key}={tag.value} of cluster {request.cluster}: "
            "tag its nodes, or correct the tag in clusters.yaml"
        )
    stopped = sorted(f"{node.instance_id} ({node.state})" for node in nodes if node.state != "running")
    if stopped:
        raise RejectedError(f"node_not_running: {', '.join(stopped)}: start it, replace it, or take its tag away")
    ids = {node.instance_id for node in nodes}
    deaf = sorted(ids - hosts.listening(ids))
    if deaf:
        raise RejectedError(
            f"node_without_ssm: {', '.join(deaf)} can't be reached through SSM: "
            "check that the agent runs and that the instance role allows it"
        )
    commands = hosts.send("survey", ids)
    asked = Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(ids)), asked_at=clock())
    found = Found(instances=tuple(nodes), asked=asked)
    runs.write(request, "found", found)
    return found


handler = step(run)
