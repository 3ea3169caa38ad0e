"""How much of everything an account may have at once."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """The documented numbers (`reference/aws.md` §A3, §A5), or generous ones where none is published."""

    pending_snapshots: int = 10_000
    """Of an account; AWS publishes no number for CreateSnapshots."""
    pending_per_volume: int = 5
    pending_per_hdd: int = 1
    """The same for volumes of the types st1 and sc1."""
    snapshots: int = 100_000
    volumes_per_set: int = 128
    concurrent_copies: int = 20
    initialization_mibps: int = 5_000
    """Provisioned rates of all volumes that are being initialized, together."""
