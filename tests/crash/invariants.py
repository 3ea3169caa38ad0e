"""What must hold after every row, whatever was struck: one breach a line, each with a code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sandbox.light.host import CONF
from sandbox.light.launch import LightCluster
from tests.crash.field import TAG, Execution, Field
from tests.crash.rows import handler_of
from tests.estate import FINISHED

MOST_STATE_BYTES = 32 * 1024
OUR_TAGS = ("aerokeep:cluster", "aerokeep:run")
BUILD_TAG = "aerokeep:build"
IMAGE_TAGS = ("aerokeep:cluster", "aerokeep:node")
"""Of an image's snapshot: the run's tag would make it one of a recovery point, which is deleted with that."""
HALTED = "halted"
TIMED_OUT = "Sandbox.Timedout"


@dataclass(frozen=True)
class Breach:
    """Something that must not be."""

    code: str
    detail: str

    def __str__(self) -> str:
        """``code: detail``."""
        return f"{self.code}: {self.detail}"


class Fate(StrEnum):
    """What has become of a cluster."""

    OLD = "old"
    NEW = "new"
    MIXED = "mixed"


@dataclass(frozen=True)
class Mark:
    """Where a row began: what there was then is not its doing."""

    resources: frozenset[str]
    deletions: int


def mark(field: Field, cluster: LightCluster) -> Mark:
    """Remember what there is."""
    with field.plane.lock:
        deletions = len(field.plane.store.deleted)
    return Mark(frozenset(resource_id for resource_id, _ in resources_of(field, cluster)), deletions)


def resources_of(field: Field, cluster: LightCluster) -> Iterator[tuple[str, dict[str, str]]]:
    """(id, tags) of every EC2 resource that belongs to a cluster, by whatever ties it to it: tags may be missing."""
    backend = field.region.ec2.backend
    volumes = {volume.id: volume for volume in list(backend.volumes.values())}
    instances = {
        i.id: i for i in field.region.ec2.all_instances() if i.private_ip in cluster.addresses or _is_of(i, cluster)
    }
    with field.plane.lock:
        store = field.plane.store
        held = {i for i, v in store.volumes.items() if _holds(v.content.parts, cluster)}
        held |= {i for i, c in store.snapshots.items() if _holds(c.parts, cluster)}
    for instance in instances.values():
        yield instance.id, tags_of(instance)
    for volume in volumes.values():
        attached = volume.attachment is not None and volume.attachment.instance.id in instances
        if attached or volume.id in held or _is_of(volume, cluster):
            yield volume.id, tags_of(volume)
    for snapshot in list(backend.snapshots.values()):
        if snapshot.id in held or _is_of(snapshot, cluster):
            yield snapshot.id, tags_of(snapshot)
    for eni in list(backend.enis.values()):
        if eni.private_ip_address in cluster.addresses or _is_of(eni, cluster):
            yield eni.id, tags_of(eni)
    for image in list(backend.amis.values()):
        if getattr(image, "instance_id", None) in instances or _is_of(image, cluster):
            yield image.id, tags_of(image)


def _holds(parts: Iterable[tuple[str, str, str]], cluster: LightCluster) -> bool:
    return any(timeline.startswith(f"{cluster.name}/") for _, timeline, _ in parts)


def tags_of(resource: Any) -> dict[str, str]:  # noqa: ANN401  # moto has no types
    """The tags of one of moto's EC2 resources."""
    # Past get_tags(), which looks through all tags of the region for each resource.
    return {str(key): str(value) for key, value in resource.ec2_backend.tags.get(resource.id, {}).items()}


def _is_of(resource: Any, cluster: LightCluster) -> bool:  # noqa: ANN401  # the same
    tags = tags_of(resource)
    return cluster.name in (tags.get("aerokeep:cluster"), tags.get(TAG))


def breaches(
    field: Field, cluster: LightCluster, since: Mark, *, fate: Fate, serves: bool, open_while_mixed: bool = False
) -> Iterator[Breach]:
    """Everything that is wrong with a cluster and what was made for it, at a moment when nothing is under way.

    Args:
        field: where.
        cluster: which.
        since: where the row began.
        fate: what has become of its data.
        serves: whether it is whole and takes writes, as its journey sees it.
        open_while_mixed: whether it may take writes while its data are half done.

    """
    lock = field.lock(cluster.name)
    halted = lock.get("state") == HALTED
    yield from _lock(field, lock)
    yield from _lock(field, field.lock(cluster.name, lane="export-lock"))
    if halted and not lock.get("reason"):
        yield Breach("halted_without_reason", f"the lock of {lock.get('run')} does not say why")
    if not halted and fate is Fate.MIXED:
        yield Breach("mixed", f"neither old nor new: {cluster.timelines()}")
    if not halted and not serves:
        yield Breach("not_serving", f"running: {sorted(cluster.timelines())}, lock: {lock.get('state', 'free')}")
    if fate is Fate.MIXED and not open_while_mixed and (taking := _taking_writes(cluster)):
        yield Breach("mixed_and_open", f"{', '.join(taking)} take writes: {cluster.timelines()}")
    if not halted:
        yield from _write_stops(field, cluster)
    yield from _only_copies(field, cluster, since)
    yield from _untagged(field, cluster, since)


def _lock(field: Field, lock: Mapping[str, str]) -> Iterator[Breach]:
    owner = lock.get("owner")
    if not owner or lock.get("state") == HALTED:
        return
    states = field.region.client("stepfunctions")
    if (status := states.describe_execution(executionArn=owner)["status"]) in FINISHED:
        yield Breach("lock_of_the_dead", f"held for {lock.get('run')} by {owner}, which is {status}")


def _taking_writes(cluster: LightCluster) -> list[str]:
    return [server.node_id for server in cluster.servers() if any(not ns.guarded for ns in server.namespaces.values())]


def _write_stops(field: Field, cluster: LightCluster) -> Iterator[Breach]:
    with field.plane.lock:
        for server in cluster.servers():
            guarded = [ns.name for ns in server.namespaces.values() if ns.guarded]
            if guarded and "reject-non-xdr-writes true" not in (server.host.read(CONF) or ""):
                yield Breach("write_stop_left", f"{server.node_id} rejects writes to {', '.join(guarded)}")


def _only_copies(field: Field, cluster: LightCluster, since: Mark) -> Iterator[Breach]:
    """Whatever was deleted, another volume or snapshot must hold the same part of the same timeline."""
    with field.plane.lock:
        store = field.plane.store
        for deleted in store.deleted[since.deletions :]:
            for part in sorted(deleted.content.parts):
                if part[1].startswith(f"{cluster.name}/") and not store.holders(part):
                    yield Breach("only_copy_deleted", f"{deleted.resource_id} was the last with {' '.join(part)}")


def _untagged(field: Field, cluster: LightCluster, since: Mark) -> Iterator[Breach]:
    for resource_id, tags in resources_of(field, cluster):
        of_image = resource_id.startswith("snap-") and BUILD_TAG in tags
        missing = [name for name in (IMAGE_TAGS if of_image else OUR_TAGS) if not tags.get(name)]
        if resource_id not in since.resources and missing:
            yield Breach("untagged", f"{resource_id} lacks {', '.join(missing)}: {tags}")


def unprotected(field: Field, cluster: LightCluster) -> Iterator[Breach]:
    """Volumes with data that would go with their instance, once a journey was there to see to that."""
    for instance in field.region.ec2.all_instances():
        if instance.state in ("terminated", "shutting-down") or instance.private_ip not in cluster.addresses:
            continue
        for device, block in instance.get_block_device_mapping:
            with field.plane.lock:
                volume = field.plane.store.volumes.get(block.volume_id)
                parts = volume.content.parts if volume is not None else frozenset()
            if block.delete_on_termination and _holds(parts, cluster):
                yield Breach("delete_on_termination", f"{block.volume_id} ({device}) would go with {instance.id}")


def orphans(field: Field) -> Iterator[Breach]:
    """Volumes and snapshots that carry no tag at all: nobody could say whose they are."""
    backend = field.region.ec2.backend
    for resource in (*list(backend.volumes.values()), *list(backend.snapshots.values())):
        if resource.id not in field.found and not tags_of(resource):
            yield Breach("orphan", f"{resource.id} carries no tag")


# -- executions


def oversized(executions: Sequence[Execution]) -> Iterator[Breach]:
    """States that carry more than ids and small summaries."""
    for execution in executions:
        for size, event in _sizes(execution):
            if size > MOST_STATE_BYTES:
                yield Breach("state_too_large", f"{size} bytes at event {event['id']} of {execution.words}")


def largest_state(execution: Execution) -> int:
    """The size in bytes of the largest thing that a state was given, gave or kept."""
    return max((size for size, _ in _sizes(execution)), default=0)


def _sizes(execution: Execution) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for event in execution.events:
        for details in (value for key, value in event.items() if key.endswith("EventDetails")):
            yield max(len(str(details.get(key) or "")) for key in ("input", "output", "assignedVariables")), event


def longest_lambda(executions: Sequence[Execution]) -> tuple[float, str]:
    """(seconds, state) of the longest run of a Lambda."""
    return max(((work.seconds, work.state) for e in executions for work in works_of(e)), default=(0.0, ""))


@dataclass(frozen=True)
class LambdaRun:
    """One run of a Lambda, as the history of its execution has it."""

    state: str
    seconds: float
    error: str


def works_of(execution: Execution) -> Iterator[LambdaRun]:
    """Every run of a Lambda that an execution has seen the end of."""
    state = ""
    begun: dict[int, Any] = {}
    for event in execution.events:
        if "stateEnteredEventDetails" in event:
            state = event["stateEnteredEventDetails"]["name"]
        if event["type"] == "TaskStarted":
            begun[event["id"]] = event["timestamp"]
        elif event["type"] in ("TaskSucceeded", "TaskFailed") and event.get("previousEventId") in begun:
            seconds = (event["timestamp"] - begun[event["previousEventId"]]).total_seconds()
            yield LambdaRun(state, seconds, event.get("taskFailedEventDetails", {}).get("error", ""))


def overrun(field: Field, executions: Sequence[Execution], *, expected: bool) -> Iterator[Breach]:
    """Lambdas that took longer than they may; one timeout is `expected` where the row is one."""
    timeouts = 0
    for execution in executions:
        for work in works_of(execution):
            limit_s = field.limits_s.get(handler_of(field.journey_of(execution.arn), work.state), 0.0)
            if work.seconds >= limit_s:
                yield Breach("lambda_too_slow", f"{work.state} took {work.seconds:.1f} s of {limit_s:g} s")
            timeouts += work.error == TIMED_OUT
    if timeouts > expected:
        yield Breach("lambda_timed_out", f"{timeouts} times")
