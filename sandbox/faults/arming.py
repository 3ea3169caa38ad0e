"""Arm a plan in a region, and tell what of it struck."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import assert_never

from sandbox.faults import calls, deliveries, executions, hosts, planes, storage
from sandbox.faults.kinds import (
    AgentFault,
    ApiFault,
    CapacityFault,
    CommandFault,
    EventFault,
    Fault,
    KmsFault,
    LambdaFault,
    NodeFault,
    SnapshotFault,
    StopFault,
)
from sandbox.faults.plan import Plan
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.region import Region


class NeverStruckError(AssertionError):
    """A fault of the plan never struck: whatever was shown was not shown under it."""


class Armed:
    """A plan at work."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tallies = tuple(Tally(number, fault) for number, fault in enumerate(plan.faults, start=1))

    @property
    def idle(self) -> tuple[Tally, ...]:
        """Faults that have not struck yet."""
        return tuple(tally for tally in self.tallies if not tally.struck)

    @property
    def struck(self) -> int:
        """How many faults have struck."""
        return len(self.tallies) - len(self.idle)

    @property
    def lines(self) -> list[str]:
        """What struck and when, and what never did."""
        return [line for tally in self.tallies for line in tally.lines]


@contextmanager
def armed(
    region: Region,
    plan: Plan,
    *,
    cluster: str | None = None,
    execution: str | None = None,
    must_strike: bool = True,
) -> Iterator[Armed]:
    """Let a plan's faults strike within the block; what has struck stays broken after it.

    Args:
        region: a region that has been started.
        plan: what is to break.
        cluster: only nodes that carry this value in some tag have numbers; by default all instances.
        execution: only Lambdas that work for this execution (an ARN) are struck; by default all.
        must_strike: whether a plan of which something never struck is an error.

    Raises:
        RefusedFaultError: the region's plane can't do it; nothing has been armed.
        NeverStruckError: the block has ended well, but a fault never struck.

    """
    planes.check(plan, region.plane)
    site, arms = Site(region, cluster, execution), Armed(plan)
    with ExitStack() as stack:
        for tally in arms.tallies:
            stack.enter_context(_arm(tally.fault, tally, site))
        yield arms
    if must_strike and arms.idle:
        raise NeverStruckError("; ".join(line for tally in arms.idle for line in tally.lines))


def _arm(fault: Fault, tally: Tally, site: Site) -> AbstractContextManager[object]:  # noqa: C901, PLR0911, PLR0912  # a table of kinds
    match fault:
        case ApiFault():
            return calls.arm_api(fault, tally, site)
        case CapacityFault():
            return calls.arm_capacity(fault, tally, site)
        case KmsFault(breaks="call"):
            return calls.arm_kms_calls(fault, tally, site)
        case KmsFault(breaks="volume"):
            return storage.arm_kms_volumes(fault, tally, site)
        case KmsFault():
            return storage.arm_kms_snapshots(fault, tally, site)
        case SnapshotFault():
            return storage.arm_snapshot(fault, tally, site)
        case CommandFault():
            return deliveries.arm_command(fault, tally, site)
        case EventFault():
            return deliveries.arm_event(fault, tally, site)
        case AgentFault():
            return hosts.arm_agent(fault, tally, site)
        case NodeFault():
            return hosts.arm_node(fault, tally, site)
        case StopFault():
            return executions.arm_stop(fault, tally, site)
        case LambdaFault():
            return executions.arm_lambda(fault, tally, site)
        case _:
            assert_never(fault)
