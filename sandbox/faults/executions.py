"""Faults of executions: one is stopped, or a state's Lambda is killed."""

from contextlib import AbstractContextManager

from sandbox.faults.kinds import LambdaFault, StopFault
from sandbox.faults.seams import asked, listening
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.region import ApiCall, LostResponseError
from sandbox.region.lambdas.fleet import Work

LOOKS = ("Get", "Describe", "List", "Head")
NO_CHANGES = ("s3",)
"""What a run writes down for itself changes neither the estate nor a lock."""
STOPPED = "Stopped"


def arm_stop(fault: StopFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Stop the execution as a state begins; its Lambda itself goes on, as in AWS."""

    def begun(work: Work) -> None:
        arn = work.execution
        if arn and site.works_at(work, fault.state) and tally.due(arn.rpartition(":")[2]):
            states = site.region.client("stepfunctions")
            states.stop_execution(executionArn=arn, error=STOPPED, cause="the fault plan stopped it")

    return listening(site.region.fleet.at_start, begun)


def arm_lambda(fault: LambdaFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Kill a state's Lambda."""
    fleet = site.region.fleet

    def due(work: Work) -> bool:
        return site.works_at(work, fault.state) and tally.due(f"{work.function.name}, process {work.pid}")

    def begun(work: Work) -> None:
        if due(work):
            fleet.kill_one(work)

    def changed(call: ApiCall) -> None:
        work = site.caller(call) if is_change(call) else None
        if work is not None and due(work):
            fleet.kill_one(work)
            raise LostResponseError

    match fault.killed:
        case "before":
            return listening(fleet.at_start, begun)
        case "midway":
            return site.region.faults.during(after=changed)
        case "after":
            return asked(fleet, "lose_answer", lambda work: due(work) or None)


def is_change(call: ApiCall) -> bool:
    """Whether a call changes the estate or a lock."""
    return call.service not in NO_CHANGES and not call.action.startswith(LOOKS)
