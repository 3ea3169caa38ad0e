"""State ``RollBack``: after a failure before writes were opened, bring the old cluster back as it was."""

from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import Hosts
from aerokeep.aws.vault import Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import NotReadyError, RejectedError
from aerokeep.model.restore import NodeRestore
from aerokeep.model.run import Failure, RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.asking import Progress
from aerokeep.steps.shared.marks import mark, marked
from aerokeep.steps.shared.patience import since
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.restoring import order_of, placed_nodes, relaunched_of, stop_parameters
from aerokeep.steps.shared.rounds import Asker
from aerokeep.steps.shared.swapping import SUPERSEDED, Place, swapped
from aerokeep.steps.step import Clock, logger, step

HOST_DEADLINE_S = 900
ROLLED_BACK = "aerokeep:rolled-back"
"""Tag of the new volumes of a restore that was undone: the run. They are kept, for whoever asks what went wrong."""


class Input(Wire):
    """The raw execution input is enough: the lock knows the run, even if its first state died after its effect."""

    request: dict[str, Any]
    execution: str
    failure: Failure


class Output(Progress):
    """How far the way back is."""

    message: str
    """What had gone wrong: the execution's cause, as people read it."""


def run(request: Input, *, runs: Runs, catalog: Catalog, hosts: Hosts, volumes: Volumes, clock: Clock) -> Output:
    """Stop, swap back, put SMD and conf back, start; every part can be done twice, and the lock goes last.

    Raises:
        RejectedError: there is no way back: writes were opened, or old volumes are gone.
        NotReadyError: a part of it was not done by its deadline.

    """
    message = request.failure.message
    held = catalog.lock(str(request.request.get("cluster", "")))
    if held is None or held.execution != request.execution or held.journey != "restore":
        return Output(done=True, message=message)
    if not marked(runs, held, "fencing"):
        release(held, catalog)
        return Output(done=True, message=message)
    nodes, relaunched = placed_nodes(runs, held), frozenset(relaunched_of(runs, held).instances.values())
    places = _way_back(runs, held, nodes, volumes, relaunched=relaunched)
    mark(runs, held, "rolling-back", now=clock())
    asker = Asker(held, runs=runs, catalog=catalog, hosts=hosts, clock=clock)
    if not _stopped(asker, held, nodes) or not _swapped_back(held, places, runs, volumes, catalog, clock):
        return Output(done=False, message=message)
    _tell_apart(held, places, volumes)
    # What was gone before the restore goes back to being off: its image knows nothing of the mounts of old volumes.
    if not _as_before(asker, runs, held, nodes, served=nodes.keys() - relaunched):
        return Output(done=False, message=message)
    logger.warning("restore rolled back", cluster=held.cluster, run=held.run_id)
    release(held, catalog)
    return Output(done=True, message=f"{message} (rolled back: the old volumes serve again, the new ones are kept)")


def _way_back(
    runs: Runs, run: RunRef, nodes: dict[str, NodeRestore], volumes: Volumes, *, relaunched: frozenset[str]
) -> list[Place]:
    """Where each old volume goes; refused before anything is touched."""
    if marked(runs, run, "opening"):
        raise RejectedError("writes_open: writes may have been taken already: nothing is rolled back")
    old = {v.old_volume_id for node in nodes.values() for v in node.volumes if v.old_volume_id}
    there = volumes.described(old)
    places, gone = [], []
    for instance_id, node in nodes.items():
        for volume in node.volumes:
            if volume.old_volume_id in there:
                places.append(Place(instance_id=instance_id, device=volume.device, volume_id=str(volume.old_volume_id)))
            elif instance_id not in relaunched:
                gone.append(f"{volume.device} of {node.node_id}")
    if gone:
        raise RejectedError(f"no_way_back: the old volumes of {', '.join(gone)} exist no more")
    return places


def _stopped(asker: Asker, run: RunRef, nodes: dict[str, NodeRestore]) -> bool:
    stopped = asker.until(
        "stop",
        nodes,
        lambda instance_id: stop_parameters(run, nodes[instance_id]),
        accept=lambda body: body.get("state") == "stopped",
        deadline_s=HOST_DEADLINE_S,
        name="stop-back",
    )
    return stopped is not None


def _swapped_back(
    run: RunRef, places: list[Place], runs: Runs, volumes: Volumes, catalog: Catalog, clock: Clock
) -> bool:
    began_at = since(runs, run, "swap-back", now=clock())
    deadline_s = order_of(runs, run).config.restore.volume_deadline_s
    if swapped(run, places, volumes=volumes, catalog=catalog, clock=clock):
        return True
    if clock() >= began_at + timedelta(seconds=deadline_s):
        raise NotReadyError(f"volumes_stuck: not every old volume is back after {deadline_s:g} s: see EC2")
    return False


def _tell_apart(run: RunRef, places: list[Place], volumes: Volumes) -> None:
    volumes.untag([place.volume_id for place in places], {SUPERSEDED: run.run_id})
    # By their tag: a Lambda may have died between a volume's creation and the note of it.
    volumes.tag(volumes.of_run(run.run_id), {ROLLED_BACK: run.run_id})


def _as_before(
    asker: Asker, runs: Runs, run: RunRef, nodes: dict[str, NodeRestore], *, served: AbstractSet[str]
) -> bool:
    """SMD and conf come out of the aside copies that the hosts kept; then those that served start as they used to."""
    staged = asker.until(
        "stage",
        nodes,
        lambda _: {"Run": run.run_id, "Spec": "back"},
        accept=lambda body: body.get("staged") is False,
        deadline_s=HOST_DEADLINE_S,
        name="stage-back",
    )
    if staged is None:
        return False
    started = asker.until(
        "start",
        served,
        lambda _: {"Run": run.run_id, "Mode": "normal"},
        accept=lambda body: body.get("state") == "ready",
        deadline_s=order_of(runs, run).config.restore.start_deadline_s,
        name="start-back",
    )
    return started is not None


handler = step(run)
