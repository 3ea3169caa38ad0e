"""State ``ReleaseLock``: let the cluster go, and end with a line that says what was made."""

from aerokeep.aws.catalog import Catalog
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.step import step


class Output(Wire):
    """The last output of a successful backup."""

    point: str
    released: bool


def run(request: RunRef, *, catalog: Catalog) -> Output:
    """Release what this run holds; a second call finds nothing to do."""
    return Output(point=request.point_id, released=release(request, catalog))


handler = step(run)
