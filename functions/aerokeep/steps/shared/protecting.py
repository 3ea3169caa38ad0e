"""Protect nodes: keep their volumes and addresses from going with them, and write down what a relaunch needs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self

from pydantic import Field

from aerokeep.aws.alarms import Alarms
from aerokeep.aws.errors import known
from aerokeep.aws.interfaces import Interfaces
from aerokeep.aws.launching import Images, Launches
from aerokeep.aws.machines import Machines
from aerokeep.aws.metrics import Measurements
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import AerokeepError
from aerokeep.model.files import VaultFile
from aerokeep.model.inventory import Inventory, NodeInventory
from aerokeep.model.machine import GONE, Image, Machine
from aerokeep.model.run import RunRef
from aerokeep.model.survey import Survey
from aerokeep.model.wire import Wire
from aerokeep.rules.alarms import (
    PERIOD_S,
    SILENT_PERIODS,
    first_words,
    node_prefix,
    wanted_alarms,
    watched_by,
)
from aerokeep.rules.inventory import (
    BUILD_TAG,
    NODE_TAG,
    ImageChoice,
    NodeView,
    choose_image,
    node_inventory,
    root_namespaces,
    volumes_to_keep,
)
from aerokeep.steps.shared.patience import AT_ONCE_S
from aerokeep.steps.step import logger

ALARMS_OUTLIVE = timedelta(hours=1)


class Protected(Wire):
    """The nodes that are done; stands in the vault between two looks."""

    nodes: dict[str, NodeInventory] = Field(default_factory=dict)
    """By instance id."""


class Protector:
    """Everything that protecting asks of AWS."""

    def __init__(
        self,
        *,
        machines: Machines,
        interfaces: Interfaces,
        volumes: Volumes,
        launches: Launches,
        images: Images,
        alarms: Alarms,
        measurements: Measurements,
    ) -> None:
        self._machines, self._interfaces, self._volumes = machines, interfaces, volumes
        self._launches, self._images = launches, images
        self._alarms, self._measurements = alarms, measurements

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            machines=Machines.from_environment(),
            interfaces=Interfaces.from_environment(),
            volumes=Volumes.from_environment(),
            launches=Launches.from_environment(),
            images=Images.from_environment(),
            alarms=Alarms.from_environment(),
            measurements=Measurements.from_environment(),
        )

    def look(
        self,
        request: RunRef,
        surveys: Mapping[str, Survey],
        done: Protected,
        *,
        conf: Mapping[str, tuple[VaultFile, ...]],
        may_change: Callable[[], object],
        clock: Callable[[], datetime],
    ) -> Protected:
        """Protect the nodes that are not done yet, as many as there is time for; what fails is told, not raised.

        Args:
            request: the run that does it.
            surveys: by instance id, of servers that answer.
            done: what earlier looks did.
            conf: each node's configuration files in the vault, by node-id.
            may_change: raises where the run may change nothing any more; asked before each node.
            clock: the controller's.

        Raises:
            ConflictError: another journey holds the cluster.

        """
        open_ = [i for i in sorted(surveys) if i not in done.nodes]
        machines = self._machines.seen(open_)
        volumes = self._volumes.of_instances(open_)
        own = {machine.image_id for machine in machines.values()}
        images = {i.image_id: i for i in self._images.of_cluster(request.cluster)} | self._images.described(own)
        until = clock() + timedelta(seconds=AT_ONCE_S)
        nodes = dict(done.nodes)
        for instance_id in open_:
            may_change()
            machine = machines[instance_id]
            view = NodeView(
                survey=surveys[instance_id],
                machine=machine,
                launch=self._launches.definition(instance_id),
                volumes={b.volume_id: volumes[b.volume_id] for b in machine.block_devices if b.volume_id in volumes},
            )
            files = conf.get(view.survey.asd.node_id, ())
            nodes[instance_id] = self._protect(request, view, images, files, now=clock())
            if clock() >= until:
                break
        return Protected(nodes=nodes)

    def _protect(
        self,
        request: RunRef,
        view: NodeView,
        images: Mapping[str, Image],
        conf: tuple[VaultFile, ...],
        *,
        now: datetime,
    ) -> NodeInventory:
        failures: list[str] = []
        kept = view.model_copy(update={"machine": self._keep(view, failures)})
        image = self._image(request, view, images, failures)
        node = node_inventory(kept, image=image, conf=conf, now=now, failures=failures)
        logger.info("node protected", node=node.node_id, unprotected=node.unprotected[:5])
        return node

    def _keep(self, view: NodeView, failures: list[str]) -> Machine:
        """Set DeleteOnTermination to false where it is true → the machine as it is after that."""
        machine = view.machine
        doomed = {device.device for device in volumes_to_keep(view)}
        if doomed:
            with _noting("not_kept", failures):
                self._machines.keep_volumes(machine.instance_id, doomed)
                machine = machine.model_copy(
                    update={
                        "block_devices": tuple(
                            d.model_copy(update={"delete_on_termination": False}) if d.device in doomed else d
                            for d in machine.block_devices
                        )
                    }
                )
        primary = machine.primary
        if primary is not None and primary.delete_on_termination:
            with _noting("interface_not_kept", failures):
                self._interfaces.keep(primary.interface_id, attachment_id=primary.attachment_id)
                others = tuple(i for i in machine.interfaces if i is not primary)
                kept = primary.model_copy(update={"delete_on_termination": False})
                machine = machine.model_copy(update={"interfaces": (kept, *others)})
        return machine

    def _image(self, request: RunRef, view: NodeView, images: Mapping[str, Image], failures: list[str]) -> ImageChoice:
        """The image to boot from; one is made where none is known to hold the node's build."""
        node_id, build, machine = view.survey.asd.node_id, view.survey.asd.build, view.machine
        choice = choose_image(node_id, build, own=machine.image_id, existing=images)
        if root_namespaces(view):
            return choice  # an image would bring old data back to life on the replacement
        if not choice.holds_build:
            with _noting("no_image", failures):
                made = self._images.create(
                    machine.instance_id,
                    name=f"aerokeep-{request.run_id}-{node_id}",
                    without=[device.device for device in machine.data_devices],
                    tags={
                        "aerokeep:cluster": request.cluster,
                        "aerokeep:run": request.run_id,
                        NODE_TAG: node_id,
                        BUILD_TAG: build,
                    },
                )
                logger.info("image begun", node=node_id, image_id=made, build=build)
                choice = ImageChoice(image_id=made, holds_build=True)
        return choice

    def sync_alarms(self, inventory: Inventory, *, now: datetime) -> tuple[int, int]:
        """Have exactly the alarms that the nodes want → how many were put, and how many deleted.

        An instance that is gone keeps its alarms for as long as they may be needed to tell of its end.
        """
        machines = self._machines.seen(node.instance_id for node in inventory.nodes)
        wanted = wanted_alarms(
            inventory.cluster,
            [
                node
                for node in inventory.nodes
                if machines[node.instance_id].state not in GONE or now - (node.seen_at or now) < ALARMS_OUTLIVE
            ],
        )
        existing = {
            name: alarm
            for name, alarm in self._alarms.with_prefix(node_prefix(inventory.cluster)).items()
            if (watched := watched_by(name)) is not None and watched.cluster == inventory.cluster
        }
        changed = [alarm for name, alarm in sorted(wanted.items()) if existing.get(name) != alarm]
        # Silence breaches: a new alarm would ring before `health` has said its first word of a node that just answered.
        answering = [node for node in inventory.nodes if now - (node.seen_at or now) < ALARMS_OUTLIVE]
        young = {alarm.name for alarm in changed} - existing.keys()
        for age in range(SILENT_PERIODS if young else 0):
            at = now - timedelta(seconds=age * PERIOD_S)
            self._measurements.put(first_words(inventory.cluster, answering, young), at=at)
        for alarm in changed:
            self._alarms.put(alarm, tags={"aerokeep:cluster": inventory.cluster})
        gone = existing.keys() - wanted.keys()
        self._alarms.delete(gone)
        return len(changed), len(gone)


@contextmanager
def _noting(code: str, failures: list[str]) -> Iterator[None]:
    """What can't be protected is told, and keeps nothing else from being protected."""
    try:
        with known():
            yield
    except AerokeepError as error:
        logger.warning("could not protect", code=code, reason=str(error))
        failures.append(f"{code}: {error}")
