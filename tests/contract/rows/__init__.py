"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import snapshot_sets

__all__ = ["BEHAVIOURS", "snapshot_sets"]
