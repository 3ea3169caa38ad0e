"""Bring into the region what moto's CloudFormation left out of a stack, after each creation and update."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sandbox.region.deploy import applied_compute, applied_messages, applied_storage
from sandbox.region.hooks.cloudformation import Resource, resolved

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
CALLER = "cloudformation"
APPLY = {**applied_storage.APPLY, **applied_compute.APPLY, **applied_messages.APPLY}
REMOVE = {**applied_storage.REMOVE, **applied_messages.REMOVE}
LAST = ("AWS::S3::Bucket",)
"""Applied after the others: access logs need the policy of the bucket that they go to."""


def apply(region: "Region", stack: Moto) -> None:
    """Make or change, through the public API, what the stack's template says and moto dropped."""
    known = stack.resource_map
    before = held_of(known)
    resources = resolved(known, stack.template_dict)
    for resource in sorted(resources, key=lambda one: one.kind in LAST):
        if act := APPLY.get(resource.kind):
            act(client_of(region), resource)
    known.aerokeep_held = {resource.logical_id: resource for resource in resources}
    for logical_id, old in before.items():
        if logical_id not in known.aerokeep_held:
            remove(region, old)


def held_of(known: Moto) -> dict[str, Resource]:
    """The resources of moto's map as they were last made or updated."""
    held: dict[str, Resource] = getattr(known, "aerokeep_held", {})
    return held


def client_of(region: "Region") -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
    """Clients that sign as CloudFormation."""
    return lambda service: region.client(service, caller=CALLER)


def remove_all(region: "Region", stack: Moto) -> None:
    """What `apply` has made of a stack that is to be deleted."""
    template = stack.template_dict.get("Resources", {})
    for logical_id, resource in held_of(stack.resource_map).items():
        if template.get(logical_id, {}).get("DeletionPolicy") != "Retain":
            remove(region, resource)


def remove(region: "Region", resource: Resource) -> None:
    """What `apply` has made of one resource."""
    if act := REMOVE.get(resource.kind):
        with suppress(ClientError):  # whoever was faster
            act(client_of(region), resource)
