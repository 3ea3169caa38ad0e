"""Faults of nodes: a dead agent, no power, a server that crashes, a full disk, a clock that steps."""

import functools
import subprocess
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from sandbox.dataplane.plane import NodeClock
from sandbox.faults.kinds import AgentFault, NodeFault
from sandbox.faults.moments import at
from sandbox.faults.planes import clock_setter
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.light import LightPlane
from sandbox.region import Region

UNIT = "aerospike"
BALLAST = "aerokeep-ballast"
FILL = f'dd if=/dev/zero of="${{1%/}}/{BALLAST}" bs=64k; sync "${{1%/}}/{BALLAST}"'
ASK_S = 60.0


def arm_agent(fault: AgentFault, tally: Tally, site: Site) -> AbstractContextManager[object]:
    """Take agents down at a moment."""

    def act(moment: str) -> None:
        for instance_id in site.nodes(fault.node):
            site.region.set_agent(instance_id, online=False)
            tally.note(f"{site.number(instance_id)} {moment}")
            if fault.for_s is not None:
                _later(fault.for_s, functools.partial(site.region.set_agent, instance_id, online=True))

    return at(fault.at, act, site=site)


def _later(delay_s: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(delay_s, act)
    timer.daemon = True
    timer.start()


def arm_node(fault: NodeFault, tally: Tally, site: Site) -> AbstractContextManager[object]:
    """Break nodes at a moment."""

    def act(moment: str) -> None:
        for instance_id in site.nodes(fault.node):
            _break(instance_id, fault, site.region)
            tally.note(f"{site.number(instance_id)} {moment}")

    return at(fault.at, act, site=site)


def _break(instance_id: str, fault: NodeFault, region: Region) -> None:
    light = region.plane if isinstance(region.plane, LightPlane) else None
    match fault.act:
        case "power_loss":
            region.power_loss(instance_id)
        case "clock_step":
            _step(instance_id, fault, region)
        case "asd_crash":
            light.crash(instance_id) if light else _ask(
                region, instance_id, "systemctl", "kill", "--signal=SIGKILL", UNIT
            )
        case "asd_restart":
            light.restart(instance_id) if light else _ask(
                region, instance_id, "systemctl", "restart", "--no-block", UNIT
            )
        case "disk_full":
            light.fill(instance_id) if light else _ask(region, instance_id, "sh", "-c", FILL, "sh", fault.path)


def _ask(region: Region, instance_id: str, *argv: str) -> None:
    """Let a program run on the node; a disk is full when its writer has failed, so its exit code tells nothing."""
    none = subprocess.DEVNULL
    region.plane.spawn(instance_id, argv, stdin=none, stdout=none, stderr=none).wait(ASK_S)


def _step(instance_id: str, fault: NodeFault, region: Region) -> None:
    address = str(region.ec2.instance(instance_id).private_ip)
    clock = stepped(region.mirror.clock(address), fault)
    region.mirror.set_clock(address, clock)
    clock_setter(region.plane)(instance_id, clock)


def stepped(clock: NodeClock, fault: NodeFault) -> NodeClock:
    """A clock after its jump; chronyd goes on saying what it said before if it has not noticed."""
    said = clock.offset_s if clock.reported_offset_s is None else clock.reported_offset_s
    return replace(
        clock,
        offset_s=clock.offset_s + fault.step_s,
        synchronised=fault.synchronised,
        reported_offset_s=None if fault.noticed else said,
        error_s=clock.error_s if fault.error_s is None else fault.error_s,
    )
