"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import (
    alarms,
    command_ends,
    commands,
    events,
    executions,
    functions,
    items,
    machines,
    messages,
    objects,
    schedules,
    snapshot_sets,
    templates,
)

__all__ = [
    "BEHAVIOURS",
    "alarms",
    "command_ends",
    "commands",
    "events",
    "executions",
    "functions",
    "items",
    "machines",
    "messages",
    "objects",
    "schedules",
    "snapshot_sets",
    "templates",
]
