"""Put one volume in the place of another, on many instances at once: every look does what can be done by then."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.volumes import Volumes
from aerokeep.model.run import RunRef
from aerokeep.model.volume import Volume
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.patience import AT_ONCE_S
from aerokeep.steps.step import logger

SUPERSEDED = "aerokeep:superseded-by"
"""Tag of a volume that a run has replaced by another: the run. Nothing may attach it again but that run's roll-back."""


class Place(Wire):
    """What must be attached where; whatever else is attached there makes room."""

    instance_id: str
    device: str
    volume_id: str


def swapped(
    run: RunRef, places: Sequence[Place], *, volumes: Volumes, catalog: Catalog, clock: Callable[[], datetime]
) -> bool:
    """Bring every place one act further, as many as there is time for → whether all are as they must be.

    What is detached is only detached: nothing is deleted, and nothing is taken by force.
    """
    at = _by_place(volumes.of_instances(place.instance_id for place in places).values())
    wanted = volumes.described(place.volume_id for place in places)
    done, until = True, clock() + timedelta(seconds=AT_ONCE_S)
    for place in places:
        there = at.get((place.instance_id, place.device))
        if there is not None and there.volume_id == place.volume_id and there.attached_to:
            continue
        done = False
        act = _next_act(place, there, wanted.get(place.volume_id))
        if clock() >= until:
            break
        if act:
            catalog.require(run)
        match act:
            case "detach" if there is not None:
                volumes.detach(there.volume_id)
                logger.info("volume detached", volume_id=there.volume_id, instance=place.instance_id)
            case "attach":
                volumes.attach(place.volume_id, place.instance_id, place.device)
                logger.info("volume attached", volume_id=place.volume_id, instance=place.instance_id)
            case _:
                continue  # something is on its way: the next look sees it there
    return done


def _by_place(found: Iterable[Volume]) -> Mapping[tuple[str, str], Volume]:
    return {(v.attachment.instance_id, v.attachment.device): v for v in found if v.attachment is not None}


def _next_act(place: Place, there: Volume | None, wanted: Volume | None) -> str:
    if there is not None:
        held = there.volume_id != place.volume_id and there.attached_to == place.instance_id
        return "detach" if held else ""
    return "attach" if wanted is not None and wanted.state == "available" else ""
