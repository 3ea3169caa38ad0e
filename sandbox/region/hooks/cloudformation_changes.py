"""CloudFormation: change sets belong to a stack, and executing one is what creating or updating the stack is."""

from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import AlreadyExistsException, CloudFormationError, ValidationError
from moto.core.responses import ActionResult, EmptyResult

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
BACKEND = "moto.cloudformation.models:CloudFormationBackend."
RESPONSE = "moto.cloudformation.responses:CloudFormationResponse."
IN_REVIEW = "REVIEW_IN_PROGRESS"


class ChangeSetNotFoundError(CloudFormationError):  # type: ignore[misc]  # moto has no types
    """As CloudFormation calls it."""

    code = "ChangeSetNotFound"


def _stack(backend: Moto, name_or_id: str) -> Moto:
    return next((s for s in backend.stacks.values() if name_or_id in (s.name, s.stack_id)), None)


def _find(backend: Moto, name_or_id: str, stack: str | None) -> Moto:
    """A change set by its ARN, or by its name and its stack's; None if there is none."""
    for held in backend.change_sets.values():
        if held.change_set_id == name_or_id:
            return held
        if held.change_set_name == name_or_id and stack in (held.stack_name, held.stack_id):
            return held
    return None


def _asked(response: Moto) -> Moto:
    name = response._get_param("ChangeSetName")
    found = _find(response.cloudformation_backend, name, response._get_param("StackName"))
    if found is None:
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")
    return found


def _create(_region: "Region", old: Moto) -> Moto:
    def create_change_set(self: Moto, *args: Moto, **asked: Moto) -> Moto:
        stack_name, name = asked["stack_name"], asked["change_set_name"]
        stack = _stack(self, stack_name)
        if _find(self, name, stack_name):
            raise AlreadyExistsException(f"ChangeSet {name} cannot be created due to a mismatch")
        if asked["change_set_type"] == "CREATE" and stack is not None and stack.status != IN_REVIEW:
            ending = f"already exists and cannot be created again with the changeSet [{name}]."
            raise ValidationError(message=f"Stack [{stack_name}] {ending}")
        change_set_id, stack_id = old(self, *args, **asked)
        change_set = self.change_sets[change_set_id]
        if stack is not None and stack_id != stack.stack_id:
            del self.stacks[stack_id]
            change_set.stack, change_set.stack_id = stack, stack.stack_id
        _look_again(change_set)
        return change_set_id, change_set.stack_id

    return create_change_set


def _look_again(change_set: Moto) -> None:
    """Tags are a change too."""
    stack = change_set.stack
    if change_set.status == "FAILED" and change_set.tags not in (None, stack.tags):
        change_set.status, change_set.execution_status, change_set.status_reason = "CREATE_COMPLETE", "AVAILABLE", None


def _execute(_region: "Region", _old: Moto) -> Moto:
    def execute_change_set(self: Moto, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = _find(self, change_set_name, stack_name)
        stack = self.stacks[change_set.stack_id]
        if change_set.change_set_type == "CREATE":
            _begin(self, stack, change_set)
            stack.create_resources()
        else:
            stack.update(change_set.template, change_set.role_arn, change_set.parameters, change_set.tags)
        for held in [held for held in self.change_sets.values() if held.stack_id == stack.stack_id]:
            del self.change_sets[held.change_set_id]

    return execute_change_set


def _begin(backend: Moto, stack: Moto, change_set: Moto) -> None:
    """Give the stack that waited what CreateStack would have given it."""
    stack.template, stack.parameters = change_set.template, change_set.parameters
    stack._parse_template()
    stack.cross_stack_resources = backend.exports
    stack.resource_map = stack._create_resource_map()
    stack.output_map = stack._create_output_map()
    backend._validate_export_uniqueness(stack)
    stack._add_stack_event("CREATE_IN_PROGRESS", resource_status_reason="User Initiated")


def _describe(_region: "Region", _old: Moto) -> Moto:
    def describe_change_set(self: Moto) -> Moto:
        return ActionResult(_asked(self))

    return describe_change_set


def _delete(_region: "Region", _old: Moto) -> Moto:
    def delete_change_set(self: Moto) -> Moto:
        backend = self.cloudformation_backend
        found = _find(backend, self._get_param("ChangeSetName"), self._get_param("StackName"))
        if found is not None:
            del backend.change_sets[found.change_set_id]
        return EmptyResult()

    return delete_change_set


def _execute_asked(_region: "Region", _old: Moto) -> Moto:
    def execute_change_set(self: Moto) -> Moto:
        change_set = _asked(self)
        if change_set.execution_status != "AVAILABLE":
            message = f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current execution status"
            raise InvalidChangeSetStatusError(f"{message} of [{change_set.execution_status}]")
        self.cloudformation_backend.execute_change_set(change_set_name=change_set.change_set_id)
        return EmptyResult()

    return execute_change_set


class InvalidChangeSetStatusError(CloudFormationError):  # type: ignore[misc]  # the same
    """As CloudFormation calls it."""

    code = "InvalidChangeSetStatus"


def _any_update(_region: "Region", _old: Moto) -> Moto:
    def _validate_different_update(self: Moto, incoming_params: Moto, stack_body: Moto, old_stack: Moto) -> None:
        """UpdateStack looks for itself, and a change set without changes ends as FAILED."""

    return _validate_different_update


def _previous(_region: "Region", _old: Moto) -> Moto:
    return property(lambda self: _told(self, self.parameters))


def _same(_region: "Region", _old: Moto) -> Moto:
    def has_parameters(self: Moto, other_parameters: Moto) -> bool:
        return _told(self, self.parameters) == _told(self, other_parameters)

    return has_parameters


def _told(stack: Moto, given: Moto) -> dict[str, Any]:
    """The value of each parameter as it was said, not what it stands for."""
    declared = stack.template_dict.get("Parameters", {})
    return {name: (given or {}).get(name, rules.get("Default")) for name, rules in declared.items()}


HOOKS = (
    Hook(
        "moto.cloudformation.models:Stack.stack_parameters",
        "moto takes the value behind an SSM parameter for its name where a change set uses the previous value.",
        _previous,
    ),
    Hook(
        "moto.cloudformation.models:Stack.has_parameters",
        "moto takes it for a change when a default is said.",
        _same,
        ("self", "other_parameters"),
    ),
    Hook(
        f"{BACKEND}create_change_set",
        "moto lets two change sets of a stack have one name, and makes a second stack beside the one in review.",
        _create,
        (
            "self",
            "stack_name",
            "change_set_name",
            "template",
            "parameters",
            "description",
            "change_set_type",
            "notification_arns",
            "tags",
            "role_arn",
        ),
    ),
    Hook(
        f"{BACKEND}execute_change_set",
        "moto gives a stack that a change set makes no outputs and no imports, and keeps the change sets.",
        _execute,
        ("self", "change_set_name", "stack_name"),
    ),
    Hook(
        f"{RESPONSE}describe_change_set",
        "moto looks for a change set of this name in any stack.",
        _describe,
        ("self",),
    ),
    Hook(
        f"{RESPONSE}delete_change_set",
        "moto deletes a change set of this name in any stack.",
        _delete,
        ("self",),
    ),
    Hook(
        f"{RESPONSE}execute_change_set",
        "moto executes a change set of this name in any stack, whatever its status.",
        _execute_asked,
        ("self",),
    ),
    Hook(
        f"{RESPONSE}_validate_different_update",
        "moto refuses a change set without changes, where AWS makes one that has FAILED.",
        _any_update,
        ("self", "incoming_params", "stack_body", "old_stack"),
    ),
)
