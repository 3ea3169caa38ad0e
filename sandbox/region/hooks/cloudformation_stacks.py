"""CloudFormation: a stack that is created or updated holds all that its template says, or is rolled back."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import parse_resource_and_generate_name, resource_name_property_from_type
from moto.core.responses import ActionResult

from sandbox.region.deploy import applied
from sandbox.region.deploy.updated import IN_PLACE
from sandbox.region.hooks.cloudformation import Resource, resolved
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
MODELS = "moto.cloudformation.models:"
PASSES = 10
"""How long a chain of resources may be in which each one changes because the one before it did."""


def _create(region: "Region", old: Moto) -> Moto:
    def create_resources(self: Moto) -> None:
        try:
            region.fleet.start()
            old(self)
            applied.apply(region, self)
            _export(self)
        except Exception as error:  # noqa: BLE001  # whatever fails, the stack is rolled back and says why
            self._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=str(error))
            applied.remove_all(region, self)
            with suppress(Exception):
                self.resource_map.delete()
            _end(self, "ROLLBACK_COMPLETE", str(error))

    return create_resources


def _update(region: "Region", old: Moto) -> Moto:
    def update(self: Moto, template: str, role_arn: Moto = None, parameters: Moto = None, tags: Moto = None) -> None:
        before = (self.template, self.role_arn, self.parameters, self.tags)
        try:
            old(self, template, role_arn, parameters, tags)
            _settle(region, self)
        except Exception as error:  # noqa: BLE001  # the same
            self._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason=str(error))
            with suppress(Exception):
                old(self, *before)
                _settle(region, self)
            _end(self, "UPDATE_ROLLBACK_COMPLETE", str(error))

    return update


def _end(stack: Moto, status: str, reason: str) -> None:
    stack.status, stack.stack_status_reason = status, reason
    stack._add_stack_event(status)


def _settle(region: "Region", stack: Moto) -> None:
    """Update also what refers to something that is another now, then apply what moto drops."""
    known = stack.resource_map
    for _ in range(PASSES):
        held = applied.held_of(known)
        resources = {resource.logical_id: resource for resource in resolved(known, stack.template_dict)}
        moved = [name for name, new in resources.items() if name in held and held[name].properties != new.properties]
        for name in moved:
            known._parsed_resources[name] = _updated(region, known, name)
        if not moved:
            break
    applied.apply(region, stack)
    _export(stack)


def _export(stack: Moto) -> None:
    """Let other stacks import what this one exports now, and nothing that it exported before."""
    backend = cloudformation_backends[stack.account_id][stack.region_name]
    _forget_exports(backend, stack)
    backend.exports.update({export.name: export for export in stack.exports})


def _forget_exports(backend: Moto, stack: Moto) -> None:
    mine = [name for name, export in backend.exports.items() if export.exporting_stack_id == stack.stack_id]
    for name in mine:
        del backend.exports[name]


def _update_resource(region: "Region", _old: Moto) -> Moto:
    def parse_and_update_resource(
        logical_id: str,
        resource_json: Moto,  # noqa: ARG001  # moto's own signature
        resources_map: Moto,
        account_id: str,  # noqa: ARG001  # the same
        region_name: str,  # noqa: ARG001  # the same
    ) -> Moto:
        return _updated(region, resources_map, logical_id)

    return parse_and_update_resource


def _updated(region: "Region", known: Moto, logical_id: str) -> Moto:
    """Bring one resource to what its template says now, under the name that it has; → moto's object."""
    template = known._resource_json_map[logical_id]
    found = parse_resource_and_generate_name(logical_id, template, known)
    if not found:
        return None
    made, kind, held = known[logical_id], template["Type"], applied.held_of(known)
    model, wanted, fresh_name = found
    old = held.get(logical_id, Resource(logical_id, kind, "", {}))
    place = {"account_id": region.account, "region_name": region.region}
    named_by = resource_name_property_from_type(kind)
    renamed = wanted["Properties"].get(named_by) != old.properties.get(named_by)
    name = fresh_name if renamed else str(getattr(made, "name", None) or made.physical_resource_id)
    if kind in IN_PLACE and not renamed:
        IN_PLACE[kind](
            applied.client_of(region), old, Resource(logical_id, kind, old.physical_id, wanted["Properties"])
        )
    elif hasattr(model, "update_from_cloudformation_json") and not _abstract(model.update_from_cloudformation_json):
        made = model.update_from_cloudformation_json(
            original_resource=made, new_resource_name=name, cloudformation_json=wanted, **place
        )
    else:
        made = model.create_from_cloudformation_json(
            name, wanted, region.account, region.region, LogicalId=logical_id, StackId=known.stack_id, ResourceType=kind
        )
    made.cf_resource_type, made.logical_resource_id = kind, logical_id
    new = Resource(logical_id, kind, str(made.physical_resource_id or ""), wanted["Properties"])
    if old.physical_id not in ("", new.physical_id):
        applied.remove(region, old)
    held[logical_id] = new
    return made


def _abstract(method: Callable[..., Any]) -> bool:
    return hasattr(method, "__isabstractmethod__")


def _again(_region: "Region", old: Moto) -> Moto:
    def update_stack(self: Moto, name: str, template: str, role_arn: Moto, parameters: Moto, tags: Moto) -> Moto:
        stack = self.get_stack(name)
        given = self._resolve_update_parameters(instance=stack, incoming_params=parameters)
        if stack.has_template(template) and stack.has_parameters(given) and tags in (None, stack.tags):
            raise ValidationError(message="No updates are to be performed.")
        return old(self, name, template, role_arn, parameters, tags)

    return update_stack


def _delete(region: "Region", _old: Moto) -> Moto:
    def delete_stack(self: Moto, name_or_stack_id: str) -> None:
        stack = next((s for s in self.stacks.values() if name_or_stack_id in (s.name, s.stack_id)), None)
        if stack is None:
            return
        if stack.enable_termination_protection:
            message = f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            raise ValidationError(message=message)
        applied.remove_all(region, stack)
        stack.delete()
        self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)
        _forget_exports(self, stack)

    return delete_stack


def _protect(_region: "Region", _old: Moto) -> Moto:
    def update_termination_protection(self: Moto) -> Moto:
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})

    return update_termination_protection


HOOKS = (
    Hook(
        f"{MODELS}Stack.create_resources",
        "moto drops much of what templates say, and leaves a stack that failed as it is.",
        _create,
        ("self",),
    ),
    Hook(
        f"{MODELS}Stack.update",
        "moto drops the same when it updates, and what the stack exports now.",
        _update,
        ("self", "template", "role_arn", "parameters", "tags"),
    ),
    Hook(
        "moto.cloudformation.parsing:parse_and_update_resource",
        "moto renames what it updates, forgets what it cannot update, and replaces what holds data.",
        _update_resource,
        ("logical_id", "resource_json", "resources_map", "account_id", "region_name"),
    ),
    Hook(
        f"{MODELS}CloudFormationBackend.update_stack",
        "moto updates a stack to what it is already, where AWS refuses.",
        _again,
        ("self", "name", "template", "role_arn", "parameters", "tags"),
    ),
    Hook(
        f"{MODELS}CloudFormationBackend.delete_stack",
        "moto deletes protected stacks, and leaves what it did not make.",
        _delete,
        ("self", "name_or_stack_id"),
    ),
    Hook(
        "moto.cloudformation.responses:CloudFormationResponse.update_termination_protection",
        "moto does not have this call, with which the CDK CLI ends each deployment of a new stack.",
        _protect,
        added=True,
    ),
)
