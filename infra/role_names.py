"""What the roles in the templates are called in reports: CDK's ids tell whose they are."""

import re
from dataclasses import dataclass

from infra.journeys import JOURNEYS, construct_id

_HASH = re.compile(r"[0-9A-F]{8}$")
WORKFLOW = "AerokeepWorkflow"
SCHEDULES = "(schedules)"


@dataclass(frozen=True)
class RoleName:
    """One role."""

    name: str
    """``backup/CutSnapshots``, ``backup (machine)``, ``replace-node (rules)``, ``(schedules)``."""
    owner: str = ""
    """The path of the construct that takes it, where reasons are kept by it."""


def _known() -> dict[str, RoleName]:
    names = {"SchedulerRole": RoleName(SCHEDULES)}
    for journey, steps in JOURNEYS.items():
        scope = construct_id(journey)
        path = f"{WORKFLOW}/{scope}"
        names |= {f"{scope}{s.state}Role": RoleName(f"{journey}/{s.state}", f"{path}/{s.state}") for s in steps}
        names[f"{scope}MachineRole"] = RoleName(f"{journey} (machine)", f"{path}/Machine")
        names[f"{scope}MachineEventsRole"] = RoleName(f"{journey} (rules)")
    return names


def role_of(logical_id: str) -> RoleName:
    """Name the role of this logical id, or of this id of its default policy.

    Raises:
        KeyError: nothing of ours has such a role.

    """
    return _known()[_HASH.sub("", logical_id).removesuffix("DefaultPolicy")]
