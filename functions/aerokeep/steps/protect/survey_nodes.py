"""State ``SurveyNodes``: find the cluster's instances, and have every host that listens survey itself."""

from datetime import datetime

from pydantic import Field

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ec2 import Instances
from aerokeep.aws.ssm import Configurations, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.cluster import ClusterName
from aerokeep.model.run import RunRef, run_id
from aerokeep.model.survey import Survey
from aerokeep.model.wire import Instant, Wire
from aerokeep.steps.shared.asking import LOOK_AGAIN_S, Asked, heard
from aerokeep.steps.shared.yielding import rebuilt_by
from aerokeep.steps.step import Clock, logger, step


class ProtectRequest(Wire):
    """The execution input of ``protect``."""

    cluster: ClusterName
    scheduled_time: Instant | None = None
    forget: tuple[str, ...] = ()
    """Node-ids that were taken out of the cluster for good: their entries and alarms go at once."""


class Input(Wire):
    """What Step Functions knows at the start, and says again at every look."""

    request: ProtectRequest
    execution: str
    started_at: Instant


class Output(Wire):
    """A run to go on with, or the reason why there is nothing to do."""

    run: RunRef
    done: bool
    skipped: bool = False
    reason: str = ""
    wait_s: int = LOOK_AGAIN_S


class Answered(Wire):
    """The servers that answered."""

    surveys: dict[str, Survey]
    """By instance id."""
    unheard: dict[str, str] = Field(default_factory=dict)
    """Instance id → why there is no survey of it."""
    forget: tuple[str, ...] = ()


def run(
    request: Input,
    *,
    configurations: Configurations,
    catalog: Catalog,
    instances: Instances,
    hosts: Hosts,
    runs: Runs,
    clock: Clock,
) -> Output:
    """A host that does not answer costs itself its protection, and no other host.

    Raises:
        RejectedError: no such cluster was deployed.

    """
    run_ = new_run(request.request.cluster, execution=request.execution, started_at=request.started_at)
    config = configurations.of_cluster(run_.cluster)
    if (standing := rebuilt_by(run_.cluster, catalog)) is not None:
        reason = f"{standing.run.journey} {standing.run.run_id} holds the cluster"
        return Output(run=run_, done=True, skipped=True, reason=reason)
    asked = runs.find(run_, "asked", Asked)
    if asked is None:
        running = [node.instance_id for node in instances.of_tag(config.tag) if node.state == "running"]
        listening = hosts.listening(running)
        if not listening:
            return Output(run=run_, done=True, skipped=True, reason="no host of the cluster listens")
        commands, reached = hosts.send_where_heard("survey", listening)
        asked = Asked(command_ids=tuple(commands), instance_ids=tuple(sorted(reached)), asked_at=clock())
        runs.write(run_, "asked", asked)
    replies = hosts.replies(asked.command_ids, asked.instance_ids)
    good = heard(replies, deadline=asked.deadline, now=clock())
    if good is None:
        return Output(run=run_, done=False)
    surveys = {i: Survey.model_validate(reply.body) for i, reply in good.items()}
    answered = Answered(
        surveys={i: survey for i, survey in surveys.items() if survey.asd.running},
        forget=request.request.forget,
        unheard={i: reply.refusal or "asd_silent: the server does not answer" for i, reply in replies.items()},
    )
    silent = sorted(answered.unheard.keys() - answered.surveys.keys())
    runs.write(run_, "answered", answered.model_copy(update={"unheard": {i: answered.unheard[i] for i in silent}}))
    logger.info("nodes surveyed", answered=len(answered.surveys), silent=silent)
    return Output(run=run_, done=True, skipped=not answered.surveys, reason="" if answered.surveys else "asd is silent")


def new_run(cluster: str, *, execution: str, started_at: datetime) -> RunRef:
    """The run of this execution: it holds no lock, so its epoch says nothing."""
    return RunRef(
        cluster=cluster,
        journey="protect",
        run_id=run_id(cluster, "protect", started_at),
        epoch=0,
        execution=execution,
        started_at=started_at,
    )


handler = step(run)
