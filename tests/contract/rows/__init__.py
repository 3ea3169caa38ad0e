"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import durations, log_groups, snapshot_sets, throttling

__all__ = ["BEHAVIOURS", "durations", "log_groups", "snapshot_sets", "throttling"]
