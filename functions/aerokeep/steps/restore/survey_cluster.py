"""State ``SurveyCluster``: find what there is of the cluster, and have every host that is reached survey itself."""

from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.instance import Instance
from aerokeep.model.restore import RestorePlan
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Survey
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.asking import Asked, Progress, settled
from aerokeep.steps.shared.restoring import order_of
from aerokeep.steps.step import Clock, step


class Found(Wire):
    """EC2's view, and the survey under way on those that SSM reaches."""

    instances: tuple[Instance, ...]
    asked: Asked


class Surveys(Wire):
    """The hosts' view by instance id."""

    surveys: dict[str, Survey]


def run(request: RunRef, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> Progress:
    """Look only: whatever is missing, stopped or deaf is for the plan to judge.

    Raises:
        NotReadyError: a host did not answer.

    """
    if runs.find(request, "plan", RestorePlan) is not None:
        return Progress(done=True)  # the run goes on by the plan that it began with
    found = runs.find(request, "found", Found)
    if found is None:
        found = _begin(request, runs=runs, instances=instances, hosts=hosts, clock=clock)
    replies = hosts.replies(found.asked.command_ids, found.asked.instance_ids) if found.asked.command_ids else {}
    if not settled("survey", replies, deadline=found.asked.deadline, now=clock()):
        return Progress(done=False)
    surveys = {instance_id: Survey.model_validate(reply.body) for instance_id, reply in replies.items()}
    runs.write(request, "surveys", Surveys(surveys=surveys))
    return Progress(done=True)


def _begin(request: RunRef, *, runs: Runs, instances: Instances, hosts: Hosts, clock: Clock) -> Found:
    nodes = instances.of_tag(order_of(runs, request).config.tag)
    running = {node.instance_id for node in nodes if node.state == "running"}
    heard = hosts.listening(running) if running else set()
    commands = hosts.send("survey", heard) if heard else []
    asked = Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(heard)), asked_at=clock())
    # One that is shutting down holds its address and volumes no more than one that is gone.
    there = tuple(node for node in nodes if node.state != "shutting-down")
    found = Found(instances=there, asked=asked)
    runs.write(request, "found", found)
    return found


handler = step(run)
