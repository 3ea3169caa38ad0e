"""Keep out of the way: what the schedules do with a cluster waits for those who put it together again."""

from aerokeep.aws.catalog import Catalog
from aerokeep.model.errors import ConflictError
from aerokeep.model.run import LockState

REBUILDING = frozenset({"restore", "replace-node"})
"""Journeys that stop, swap and launch: while one holds a cluster, little of it is as it stands in the books."""
CHANGING = REBUILDING | {"import"}
"""Journeys during which the cluster's data are neither what they were nor what they will be."""


def rebuilt_by(cluster: str, catalog: Catalog, *, among: frozenset[str] = REBUILDING) -> LockState | None:
    """The journey that is putting the cluster together, or was halted at it; None where there is none."""
    standing = catalog.standing(cluster)
    return standing if standing is not None and standing.run.journey in among else None


def require_quiet(cluster: str, catalog: Catalog, *, among: frozenset[str] = REBUILDING) -> None:
    """Before every change that a schedule makes.

    Raises:
        ConflictError: the cluster is being put together.

    """
    standing = rebuilt_by(cluster, catalog, among=among)
    if standing is not None:
        raise ConflictError(f"cluster_busy: {standing.run.journey} {standing.run.run_id} holds cluster {cluster}")
