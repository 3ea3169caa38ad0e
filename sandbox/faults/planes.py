"""What each data plane cannot break: such a plan is refused by name before anything starts."""

from collections.abc import Callable, Iterator
from typing import Protocol, cast

from sandbox.dataplane.clock import compiler
from sandbox.dataplane.plane import NodeClock
from sandbox.faults.kinds import NodeFault
from sandbox.faults.plan import Plan

LIGHT, DIRECTORY, NAMESPACES = "light", "directory", "namespaces"


class RefusedFaultError(Exception):
    """The data plane can't do what the plan asks for; a line for each such fault."""


class _Planes(Protocol):
    """What is asked of a plane that has clocks of its own."""

    def set_clock(self, instance_id: str, clock: NodeClock) -> None:
        """Change a node's clock."""


def check(plan: Plan, plane: object) -> None:
    """Refuse a plan that this plane can't carry out.

    Raises:
        RefusedFaultError: with every fault that it can't do, and why.

    """
    mode = str(getattr(plane, "mode", "unknown"))
    refused = [
        f"fault {number} ({fault}) is refused: {why}"
        for number, fault in enumerate(plan.faults, start=1)
        if isinstance(fault, NodeFault)
        for why in _reasons(fault, mode)
    ]
    if refused:
        raise RefusedFaultError("\n".join(refused))


def _reasons(fault: NodeFault, mode: str) -> Iterator[str]:
    if fault.act == "power_loss":
        return
    if mode not in (LIGHT, DIRECTORY, NAMESPACES):
        yield f"the data plane {mode} has no such nodes"
    elif fault.act == "disk_full" and mode == DIRECTORY:
        yield "in directory mode nodes have no disks of their own, and the machine's would be full; use namespaces"
    elif fault.act == "clock_step" and fault.step_s and mode != LIGHT and compiler() is None:
        yield "clocks of nodes need a C compiler; install gcc and libc6-dev, or write synchronised: false alone"


def clock_setter(plane: object) -> Callable[[str, NodeClock], None]:
    """How a plane's clocks are set."""
    return cast("_Planes", plane).set_clock
