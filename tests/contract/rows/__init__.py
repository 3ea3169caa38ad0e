"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import cloudformation, snapshot_sets

__all__ = ["BEHAVIOURS", "cloudformation", "snapshot_sets"]
