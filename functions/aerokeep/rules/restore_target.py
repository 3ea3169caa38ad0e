"""Does what is there now fit a node of the point: its instance, zone, build, devices and volumes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from aerokeep.model.instance import Instance
from aerokeep.model.inventory import InventoryVolume, NodeInventory
from aerokeep.model.survey import StoragePath, Survey
from aerokeep.model.volume import Volume
from aerokeep.model.wire import Wire
from aerokeep.rules.plan import Refusal

HEADER_CUT = (6, 0)
"""From server 6.0 on the device header is version 4, and neither side starts on the other's (aerospike.md §D2)."""


class Target(Wire):
    """A node of the point, and the instance on which it is to run; None: it is gone and is relaunched."""

    node: NodeInventory
    instance: Instance | None
    survey: Survey | None

    @property
    def where(self) -> str:
        """The node in a sentence."""
        return f"{self.node.node_id} ({self.instance.instance_id if self.instance else self.node.private_ip})"

    def volume_at(self, device: str) -> str | None:
        """What is attached to the instance under an EC2 device name."""
        if self.instance is None:
            return None
        return next((v.volume_id for v in self.instance.volumes.values() if v.device == device), None)


def match(
    nodes: Iterable[NodeInventory], instances: Sequence[Instance], surveys: Mapping[str, Survey]
) -> tuple[list[Target], list[Instance]]:
    """Pair nodes with instances by private IP, which clients and seeds know them by → targets, and who is left over."""
    by_ip = {instance.private_ip: instance for instance in instances}
    targets = []
    for node in sorted(nodes, key=lambda node: node.node_id):
        instance = by_ip.pop(node.private_ip, None)
        survey = surveys.get(instance.instance_id) if instance else None
        targets.append(Target(node=node, instance=instance, survey=survey))
    return targets, list(by_ip.values())


def stranger_refusals(strangers: Iterable[Instance]) -> Iterator[Refusal]:
    """Whoever is in the cluster and not in the point would merge newer data into it."""
    for stranger in strangers:
        yield Refusal(
            code="node_not_in_point",
            detail=f"{stranger.instance_id} ({stranger.private_ip}) carries the cluster's tag but is no node of the "
            "point: stop its server and take the tag away, or choose a point that has it",
        )


def target_refusals(
    target: Target, *, cluster: str, saved: Sequence[InventoryVolume], volumes: Mapping[str, Volume]
) -> Iterator[Refusal]:
    """Everything about one node's instance that keeps the point from being restored onto it.

    Args:
        target: the node and its instance.
        cluster: the cluster's name, as volumes are tagged with it.
        saved: the node's volumes that are in the point.
        volumes: the volumes that exist, by id.

    """
    instance, survey = target.instance, target.survey
    if instance is None:
        return
    if instance.state != "running":
        detail = f"{target.where} is {instance.state}: start it, or terminate it so that it is relaunched"
        yield Refusal(code="node_not_running", detail=detail)
        return
    if zone_of(instance) != target.node.zone:
        yield Refusal(
            code="wrong_zone",
            detail=f"{target.where} runs in {zone_of(instance)}, the node of the point in {target.node.zone}: "
            "move the node back, or terminate it so that it is relaunched there",
        )
    if survey is None:
        detail = f"{target.where} can't be reached through SSM: see to its agent, or terminate it"
        yield Refusal(code="node_without_ssm", detail=detail)
        return
    yield from _server_refusals(target, survey)
    for volume in saved:
        yield from _foreign_refusals(target, survey, volume, cluster, volumes)
    yield from _shadow_refusals(target, survey)


def zone_of(instance: Instance) -> str:
    """The Availability Zone of an instance."""
    return str(instance.spec.get("Placement", {}).get("AvailabilityZone", ""))


def _server_refusals(target: Target, survey: Survey) -> Iterator[Refusal]:
    if survey.asd.unit is None:
        detail = f"{target.where} has no systemd unit aerospike.service that could be stopped and kept stopped"
        yield Refusal(code="unit_missing", detail=f"{detail}: install the server's package")
    if not survey.asd.running:
        return
    if survey.asd.node_id != target.node.node_id:
        yield Refusal(
            code="node_id_differs",
            detail=f"{target.where} calls itself {survey.asd.node_id} now: give it its node-id again, "
            "or choose a newer point",
        )
    if (_release(survey.asd.build) >= HEADER_CUT) != (_release(target.node.build) >= HEADER_CUT):
        yield Refusal(
            code="build_cut",
            detail=f"{target.where} runs {survey.asd.build}, the point was taken of {target.node.build}: servers "
            "before and from 6.0 can't read each other's devices: install the build of the point",
        )


def _release(build: str) -> tuple[int, int]:
    major, _, rest = build.partition(".")
    minor = rest.partition(".")[0]
    return (int(major) if major.isdigit() else 0, int(minor) if minor.isdigit() else 0)


def _foreign_refusals(
    target: Target, survey: Survey, saved: InventoryVolume, cluster: str, volumes: Mapping[str, Volume]
) -> Iterator[Refusal]:
    """What will be detached must be this node's: somebody else's volume on the same device stays where it is."""
    at = target.volume_at(saved.device)
    if at is None or at == saved.volume_id:
        return
    # The conf's word for it is not enough: what the volume holds must be that namespace's.
    used_by = {
        ns.name
        for ns in survey.namespaces
        for path in ns.saved_paths
        if path.volume_id == at and path.header is not None and path.header.namespace == ns.name
    }
    tagged = volumes[at].tags.get("aerokeep:cluster") if at in volumes else None
    if tagged == cluster or (used_by and used_by <= set(saved.namespaces) and tagged is None):
        return
    yield Refusal(
        code="foreign_volume",
        detail=f"{saved.device} of {target.where} holds {at}, which is not the node's "
        f"({'it holds ' + ', '.join(sorted(used_by)) if used_by else 'it holds no namespace of the point'}): "
        "move it to another device name",
    )


def _shadow_refusals(target: Target, survey: Survey) -> Iterator[Refusal]:
    """The server does not start when a shadow is smaller than its device (aerospike.md §D3)."""
    now = {(ns.name, path.index): path for ns in survey.namespaces for path in ns.paths if _is_ephemeral(path)}
    for device in target.node.devices:
        main = now.get((device.namespace, device.index)) if device.role == "shadow" else None
        if main is None or main.size_bytes is None or device.size_bytes is None:
            continue
        if device.size_bytes < main.size_bytes:
            yield Refusal(
                code="shadow_too_small",
                detail=f"the shadow {device.path} of the point has {device.size_bytes} bytes, {main.path} on "
                f"{target.where} has {main.size_bytes}: use the instance type of the backup",
            )


def _is_ephemeral(path: StoragePath) -> bool:
    return path.role == "device" and path.instance_store
