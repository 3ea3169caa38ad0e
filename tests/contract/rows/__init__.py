"""All rows of the contract, a module per subject: importing one adds its rows."""

from tests.contract.behaviour import BEHAVIOURS
from tests.contract.rows import (
    instances,
    interfaces,
    keys,
    launches,
    requests,
    snapshot_blocks,
    snapshot_sets,
    snapshots,
    volumes,
)

__all__ = [
    "BEHAVIOURS",
    "instances",
    "interfaces",
    "keys",
    "launches",
    "requests",
    "snapshot_blocks",
    "snapshot_sets",
    "snapshots",
    "volumes",
]
