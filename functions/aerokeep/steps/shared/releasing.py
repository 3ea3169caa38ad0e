"""Release a run's lock: the one way for the happy path and for abandonment."""

from aerokeep.aws.catalog import Catalog
from aerokeep.model.run import RunRef
from aerokeep.steps.step import logger


def release(run: RunRef, catalog: Catalog) -> bool:
    """Let go of the cluster → False if it was not ours: another execution's lock is never touched."""
    released = catalog.release(run)
    logger.info("lock released" if released else "lock was not ours", cluster=run.cluster, epoch=run.epoch)
    return released
