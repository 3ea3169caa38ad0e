"""State ``RecordAges``: record how old the newest recovery points are, whatever the nodes say."""

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.metrics import Measurements
from aerokeep.aws.ssm import Configurations
from aerokeep.model.wire import Wire
from aerokeep.rules.ages import measure_ages
from aerokeep.steps.health.ask_nodes import HealthRequest
from aerokeep.steps.step import Clock, logger, step


class Input(Wire):
    """What Step Functions knows at the start."""

    request: HealthRequest


class Output(Wire):
    """How many values were recorded."""

    recorded: int


def run(
    request: Input, *, configurations: Configurations, catalog: Catalog, measurements: Measurements, clock: Clock
) -> Output:
    """A cluster that is being put together ages like any other.

    Raises:
        RejectedError: no such cluster was deployed.

    """
    name = request.request.cluster
    names = [*configurations.all()] if name is None else [configurations.of_cluster(name).name]
    now = clock()
    data = [datum for cluster in names for datum in measure_ages(cluster, catalog.committed(cluster), now=now)]
    measurements.put(data, at=now)
    logger.info("ages recorded", values=len(data))
    return Output(recorded=len(data))


handler = step(run)
