"""Instances: power states with time, status checks, and what is left of a terminated one."""

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from sandbox.region.ec2.checks import Check
from sandbox.region.faults import ApiError
from sandbox.region.hooks.ec2_refusals import refusing
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.region.region import Region

INSTANCE = "moto.ec2.models.instances:Instance."
BACKEND = "moto.ec2.models.instances:InstanceBackend."
RESPONSES = "moto.ec2.responses.instances:InstanceResponse."
PROTECTION = {"TerminatingInstances": "disable_api_termination", "StoppingInstances": "disable_api_stop"}
VERBS = {
    "TerminatingInstances": ("terminated", "disableApiTermination"),
    "StoppingInstances": ("stopped", "disableApiStop"),
}
Moto = Any


def _answering(key: str, act: "Callable[[Region, Moto, bool], Moto]") -> "Callable[[Region, Moto], Moto]":
    """A response method: `act` (region, instance, hard) → previous state, for each instance; then all states."""

    def build(region: "Region", _old: Moto) -> Moto:
        def respond(self: Moto) -> Moto:
            hard = bool(self._get_bool_param("Force", False) or self._get_bool_param("SkipOsShutdown", False))
            with region.ec2.lock, refusing():
                instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
                _check_protection(key, instances)
                self.error_on_dryrun()
                before = [act(region, instance, hard) for instance in instances]
                told = [_change(instance, state) for instance, state in zip(instances, before, strict=True)]
            return ActionResult({key: told})

        return respond

    return build


def _stop(region: "Region", instance: Moto, hard: bool) -> Moto:  # noqa: FBT001  # one signature for three
    return region.ec2.instances.stop(instance, hard=hard)


def _start(region: "Region", instance: Moto, _hard: bool) -> Moto:  # noqa: FBT001  # the same
    return region.ec2.instances.start(instance)


def _end(region: "Region", instance: Moto, hard: bool) -> Moto:  # noqa: FBT001  # the same
    return region.ec2.instances.terminate(instance, hard=hard)


def _check_protection(key: str, instances: list[Moto]) -> None:
    """One that is protected keeps the whole batch."""
    attribute = PROTECTION.get(key)
    for instance in instances:
        if attribute and getattr(instance, attribute) and instance.state not in ("shutting-down", "terminated"):
            verb, name = VERBS[key]
            message = f"The instance '{instance.id}' may not be {verb}. Modify its '{name}' instance attribute first."
            raise ApiError("OperationNotPermitted", message)


def _change(instance: Moto, before: Moto) -> dict[str, Any]:
    now = {"Code": instance.state_code, "Name": instance.state}
    return {"InstanceId": instance.id, "CurrentState": now, "PreviousState": {"Code": before.code, "Name": before.name}}


def _reboot(region: "Region", _old: Moto) -> Moto:
    def reboot_instances(self: Moto) -> Moto:
        with region.ec2.lock, refusing():
            instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
            self.error_on_dryrun()
            for instance in instances:
                region.ec2.instances.reboot(instance)
        return EmptyResult()

    return reboot_instances


def _terminate(region: "Region", _old: Moto) -> Moto:
    def terminate(self: Moto) -> Moto:
        return region.ec2.instances.terminate(self)

    return terminate


def _check(check: Check) -> "Callable[[Region, Moto], Moto]":
    def build(region: "Region", _old: Moto) -> Moto:
        return property(lambda self: region.ec2.instances.checks.status(self, check))

    return build


def _unless_gone(region: "Region", old: Moto) -> Moto:  # noqa: ARG001  # a hook's own signature
    """What a terminated instance does not have any more."""
    return property(lambda self: old.fget(self) if self.nics else None)


def _all_reservations(region: "Region", old: Moto) -> Moto:
    def all_reservations(self: Moto, filters: Moto = None) -> Moto:
        found = old(self, filters)
        for reservation in found:
            reservation.instances = [i for i in reservation.instances if region.ec2.instances.is_visible(i)]
        return [reservation for reservation in found if reservation.instances]

    return all_reservations


HOOKS = (
    Hook(
        f"{RESPONSES}stop_instances",
        "moto's instances stop at once, whatever they were doing.",
        _answering("StoppingInstances", _stop),
        ("self",),
    ),
    Hook(
        f"{RESPONSES}start_instances",
        "moto's instances run at once, even terminated ones.",
        _answering("StartingInstances", _start),
        ("self",),
    ),
    Hook(
        f"{RESPONSES}terminate_instances",
        "moto's instances terminate at once, and again, and always say that they are shutting down.",
        _answering("TerminatingInstances", _end),
        ("self",),
    ),
    Hook(f"{RESPONSES}reboot_instances", "moto's instances have no processes.", _reboot, ("self",)),
    Hook(
        f"{INSTANCE}terminate",
        "moto's stacks terminate instances past the API, at once, and leave ENIs attached to them.",
        _terminate,
        ("self",),
    ),
    Hook(f"{INSTANCE}instance_status", "moto's status checks always pass.", _check("instance")),
    Hook(f"{INSTANCE}system_status", "moto's status checks always pass.", _check("system")),
    Hook(f"{INSTANCE}attached_ebs_status", "moto lacks this status check.", _check("ebs"), added=True),
    *(
        Hook(f"{INSTANCE}{name}", "moto's instances cannot be without an interface.", _unless_gone)
        for name in ("private_ip", "private_ip_address", "public_ip", "public_ip_address")
    ),
    Hook(
        f"{BACKEND}all_reservations",
        "moto knows an instance as soon as it is asked for, and never forgets one.",
        _all_reservations,
        ("self", "filters"),
    ),
)
