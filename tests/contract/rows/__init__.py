"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import (
    command_ends,
    commands,
    executions,
    functions,
    items,
    machines,
    objects,
    snapshot_sets,
    templates,
)

__all__ = [
    "BEHAVIOURS",
    "command_ends",
    "commands",
    "executions",
    "functions",
    "items",
    "machines",
    "objects",
    "snapshot_sets",
    "templates",
]
