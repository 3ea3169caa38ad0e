"""CloudFormation: resources of unknown types are kept, and templates' expressions can be resolved."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import NULL_MODELS, clean_json, get_model_map

from sandbox.region.hooks.hook import Hook
from sandbox.region.kept import Kept

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


@dataclass(frozen=True)
class Resource:
    """A resource of a stack with its properties resolved: no ``Ref``, ``Fn::GetAtt`` … is left in them."""

    logical_id: str
    kind: str
    physical_id: str
    properties: Mapping[str, Any]


def resolve(region: "Region", stack_name: str, template: Mapping[str, Any]) -> list[Resource]:
    """Every resource of `template` as the stack of that name made it, in the template's order."""
    stack = cloudformation_backends[region.account][region.region].get_stack(stack_name)
    known = stack.resource_map
    found = []
    for logical_id, resource in template["Resources"].items():
        if (condition := resource.get("Condition")) and not known.lazy_condition_map[condition]:
            continue
        properties = clean_json(copy.deepcopy(resource.get("Properties", {})), known)
        physical_id = getattr(known[logical_id], "physical_resource_id", "") or ""
        found.append(Resource(logical_id, resource["Type"], str(physical_id), properties))
    return found


def _class_of(_region: "Region", old: Moto) -> Moto:

    def resource_class_from_type(resource_type: str) -> Moto:
        if resource_type in get_model_map() or resource_type in NULL_MODELS or resource_type.startswith("Custom::"):
            return old(resource_type)
        return Kept

    return resource_class_from_type


HOOKS = (
    Hook(
        "moto.cloudformation.parsing:resource_class_from_type",
        "moto skips resources of types that it does not know, and a Ref to one is then nothing.",
        _class_of,
        ("resource_type",),
    ),
)
