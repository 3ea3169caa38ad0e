"""CloudFormation: resources of unknown types are kept, and templates' expressions can be resolved."""

import copy
import json
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
    """Every resource of `template` as the stack of that name or id made it, in the template's order."""
    stack = cloudformation_backends[region.account][region.region].get_stack(stack_name)
    return resolved(stack.resource_map, template)


def resolved(known: Moto, template: Mapping[str, Any]) -> list[Resource]:
    """The same, for whoever has moto's map of a stack's resources."""
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


def _parse(_region: "Region", old: Moto) -> Moto:
    def parse_template(template: str) -> Moto:
        if template.lstrip().startswith("{"):
            return json.loads(template)
        return old.__func__(template)

    return staticmethod(parse_template)


def _parse_changes(_region: "Region", _old: Moto) -> Moto:
    def _parse_template(self: Moto) -> None:
        self.template_dict = self.stack.parse_template(self.template)

    return _parse_template


HOOKS = (
    Hook(
        "moto.cloudformation.parsing:resource_class_from_type",
        "moto skips resources of types that it does not know, and a Ref to one is then nothing.",
        _class_of,
        ("resource_type",),
    ),
    Hook(
        "moto.cloudformation.models:Stack.parse_template",
        "moto reads JSON as YAML, a second per template of ours, and several times for each change set.",
        _parse,
        ("template",),
    ),
    Hook(
        "moto.cloudformation.models:ChangeSet._parse_template",
        "moto reads the templates of change sets in the same way, once more.",
        _parse_changes,
        ("self",),
    ),
)
