"""Compare the region with a template: every property of every resource, read through the public API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sandbox.region.deploy import readers_compute, readers_messages, readers_storage
from sandbox.region.hooks.cloudformation import Resource, resolve

if TYPE_CHECKING:
    from sandbox.region.region import Region

Reader = Callable[[Callable[[str], Any], Resource], Mapping[str, Any]]
READERS: Mapping[str, Reader] = {
    **readers_storage.READERS,
    **readers_compute.READERS,
    **readers_messages.READERS,
}
NOT_HELD = {
    ("AWS::SSM::Document", "UpdateMethod"): "it says how CloudFormation updates the document; no API shows it",
    ("AWS::KMS::Key", "PendingWindowInDays"): "it says how CloudFormation deletes the key; no API shows it",
}
NOTHING_TO_HOLD = ("AWS::CDK::Metadata",)
NOT_THERE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """Something that a template says and the region does not hold."""

    logical_id: str
    kind: str
    path: str
    wanted: object
    held: object


def compare(region: "Region", template: Mapping[str, Any], stack: str) -> list[Difference]:
    """All differences; a resource of a type that nobody reads is one. The region may hold more than was asked for."""
    status = region.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    if status in NOT_THERE:
        return [Difference(stack, "AWS::CloudFormation::Stack", "", "its resources", status)]
    found: list[Difference] = []
    for resource in resolve(region, stack, template):
        if resource.kind in NOTHING_TO_HOLD:
            continue
        reader = READERS.get(resource.kind)
        if reader is None:
            found.append(Difference(resource.logical_id, resource.kind, "", "a reader of this type", ABSENT))
            continue
        try:
            held = reader(region.client, resource)
        except ClientError as error:
            found.append(Difference(resource.logical_id, resource.kind, "", "the resource", str(error)))
            continue
        for name, wanted in resource.properties.items():
            if (resource.kind, name) not in NOT_HELD:
                found += _differences(resource, name, wanted, held.get(name, ABSENT))
    return found


def _differences(resource: Resource, path: str, wanted: object, held: object) -> list[Difference]:
    if isinstance(wanted, Mapping) and isinstance(held, Mapping):
        return [
            difference
            for key, value in wanted.items()
            for difference in _differences(resource, f"{path}.{key}", value, held.get(key, ABSENT))
        ]
    if isinstance(wanted, list) and isinstance(held, list) and len(wanted) == len(held):
        return [
            difference
            for index, (one, other) in enumerate(zip(wanted, held, strict=True))
            for difference in _differences(resource, f"{path}[{index}]", one, other)
        ]
    if _scalar(wanted) == _scalar(held):
        return []
    return [Difference(resource.logical_id, resource.kind, path, wanted, held)]


def _scalar(value: object) -> object:
    """Templates and APIs write numbers and booleans now as themselves, now as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else str(value)
    return value
