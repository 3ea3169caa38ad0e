"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import command_ends, commands, executions, snapshot_sets

__all__ = ["BEHAVIOURS", "command_ends", "commands", "executions", "snapshot_sets"]
