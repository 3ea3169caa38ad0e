"""Faults of what is delivered: SSM commands to nodes, and events of the default bus."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from typing import Any

from sandbox.faults.kinds import CommandFault, EventFault
from sandbox.faults.seams import asked
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.region import bus, command
from sandbox.region.invocations import Invocation


def arm_command(fault: CommandFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Give the commands that the fault means its fate."""
    fates = {
        "late": command.Fate(late_s=fault.late_s or 0.0),
        "lost": command.Fate(lost=True),
        "twice": command.Fate(twice=True),
        "hung": command.Fate(hung=True),
    }

    def fate(invocation: Invocation) -> command.Fate | None:
        if invocation.document.rpartition("aerokeep-")[2] != fault.document:
            return None
        if not site.is_node(invocation.instance_id, fault.node):
            return None
        due = tally.due(f"{fault.document} to {site.number(invocation.instance_id)}")
        return fates[fault.fate] if due else None

    return asked(site.region.commands, "fate", fate)


def arm_event(fault: EventFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Give the events that the fault means its fate."""
    fates = {"lost": bus.Fate(copies=0), "twice": bus.Fate(copies=2), "late": bus.Fate(late_s=fault.late_s or 0.0)}

    def fate(source: str, detail_type: str, _detail: Mapping[str, Any]) -> bus.Fate | None:
        if not fnmatchcase(source, fault.source) or not fnmatchcase(detail_type, fault.detail_type):
            return None
        return fates[fault.fate] if tally.due(f"{source} {detail_type}") else None

    return asked(site.region.bus, "fate", fate)
