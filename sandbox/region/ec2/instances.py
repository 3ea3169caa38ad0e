"""Instances as AWS shows them: power states with time, and what begins and ends with power."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.ec2.models.instances import InstanceState, StateReason

from sandbox.dataplane.plane import DataPlaneError
from sandbox.region.changes import Change
from sandbox.region.ec2.checks import Checks
from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.ec2.compute import Compute

Moto = Any
CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


class Instances:
    """Power states of instances; moto keeps the rest."""

    def __init__(self, compute: "Compute") -> None:
        self._compute = compute
        self.checks = Checks(compute.pace)
        self.at_boot: list[Callable[[str], None]] = []
        """Called with the instance id whenever a node has been powered on: what an image starts by itself."""
        self._launching: set[str] = set()
        self._lost: set[str] = set()
        self._visible_from: dict[str, float] = {}
        self._powers: dict[str, int] = {}
        """Counts power going on and off, so that a boot that was cut short wakes nobody."""

    def is_launching(self, instance: Moto) -> bool:
        """It has not run yet."""
        return instance.id in self._launching

    def is_visible(self, instance: Moto) -> bool:
        """Right after RunInstances other calls may not know an instance yet."""
        return time.monotonic() >= self._visible_from.get(instance.id, 0.0)

    def launching(self, instance: Moto) -> None:
        """Before an instance gets its volumes: it is pending, and nothing can be asked of it."""
        self._launching.add(instance.id)
        self._enter(instance, "pending")

    def launched(self, instance: Moto) -> None:
        """All that belongs to it has been made: let it boot."""
        self._boot_later(instance)

    def hide(self, instance: Moto) -> None:
        """RunInstances has been answered: for some moments nobody else knows of it."""
        self._visible_from[instance.id] = time.monotonic() + self._compute.pace.instance_invisible_s

    def _boot_later(self, instance: Moto) -> None:
        delay_s = self._compute.pace.pending_s
        self._compute.clockwork.after(delay_s, lambda: self._run(instance), resource=instance.id, state="pending")

    def _run(self, instance: Moto) -> None:
        """The end of ``pending``: power."""
        compute = self._compute
        with compute.lock:
            if instance.state != "pending":
                return
            if self._compute.keys.doom(*(volume.kms_key_id for volume in compute.volumes_of(instance))):
                self._without_key(instance)
                return
            try:
                compute.mirror.power_on(instance)
            except DataPlaneError as error:
                compute.clockwork.failures.append(f"{instance.id} pending: {error}")
                self._end(instance, StateReason("Server.InternalError: internal error", "Server.InternalError"))
                return
            self._launching.discard(instance.id)
            for volume in compute.volumes_of(instance):
                compute.volumes.attached(volume.attachment)
            for eni in instance.nics.values():
                compute.interfaces.attached(eni)
            self._enter(instance, "running")
        self._booted(instance)

    def _without_key(self, instance: Moto) -> None:
        """A key of its volumes cannot be used: a launch is over, a start leads back to where it was."""
        reason = StateReason("Client.InternalError: Client error on launch", "Client.InternalError")
        if self.is_launching(instance):
            self._end(instance, reason)
        else:
            self._enter(instance, "stopped", reason)

    def _booted(self, instance: Moto) -> None:
        self.checks.booted(instance.id)
        with self._compute.lock:
            power = self._powers[instance.id] = self._powers.get(instance.id, 0) + 1
        self._compute.boot(instance, lambda: self._start_services(instance, power))
        for act in tuple(self.at_boot):
            act(instance.id)

    def _start_services(self, instance: Moto, power: int) -> None:
        """What the image starts by itself, the SSM agent too: boothooks have ended before anybody can ask the node."""
        try:
            self._compute.mirror.boot(instance.id)
        except DataPlaneError as error:
            if self._powers[instance.id] == power:
                self._compute.clockwork.failures.append(f"{instance.id} boot: {error}")
        with self._compute.lock:
            if self._powers[instance.id] == power:
                self._compute.commands.agent(instance.id).boot(self._compute.pace.agent_online_s)

    def _power_off(self, instance: Moto, *, hard: bool) -> None:
        self._powers[instance.id] = self._powers.get(instance.id, 0) + 1
        self._compute.commands.agent(instance.id).lose(self._compute.pace.agent_lost_s)
        self._compute.mirror.power_off(instance, hard=hard)

    def power_loss(self, instance_id: str) -> None:
        """The host dies: no process, no agent, no instance store is left, yet the instance is ``running``."""
        instance = self._compute.instance(instance_id)
        with self._compute.lock:
            self._lost.add(instance_id)
            self._power_off(instance, hard=True)
            self.checks.impair(instance_id, "instance", "system")

    # -- what the API asks ---------------------------------------------------------------------------------------

    def stop(self, instance: Moto, *, hard: bool = False) -> Moto:
        """StopInstances; → the previous state.

        Raises:
            ApiError: it cannot be stopped.

        """
        with self._compute.lock:
            previous = _copy(instance)
            if instance.state in ("stopping", "stopped") and not hard:
                return previous
            if instance.state not in ("running", "stopping", "stopped"):
                message = f"This instance '{instance.id}' is not in a state from which it can be stopped."
                raise ApiError("IncorrectInstanceState", message)
            if instance.state != "stopped":
                self._leave(instance, "stopping", self._compute.pace.stopping_s, self._stopped, hard=hard)
            return previous

    def _leave(self, instance: Moto, state: str, delay_s: float, end: Callable[[Moto], None], *, hard: bool) -> None:
        """Go down. One that is stuck may well go on working: its power goes off when it is let go."""
        self._enter(instance, state, _by_user())
        if not self._compute.clockwork.is_stuck(instance.id, state):
            self._power_off(instance, hard=hard)
        self._compute.clockwork.after(delay_s, lambda: end(instance), resource=instance.id, state=state)

    def _stopped(self, instance: Moto) -> None:
        with self._compute.lock:
            if instance.state == "stopping":
                self._power_off(instance, hard=True)
                self._lost.discard(instance.id)
                self.checks.heal(instance.id)
                self._enter(instance, "stopped", _by_user())

    def start(self, instance: Moto) -> Moto:
        """StartInstances; → the previous state.

        Raises:
            ApiError: it cannot be started.

        """
        with self._compute.lock:
            previous = _copy(instance)
            if instance.state in ("pending", "running"):
                return previous
            if instance.state != "stopped":
                message = f"The instance '{instance.id}' is not in a state from which it can be started."
                raise ApiError("IncorrectInstanceState", message)
            self._compute.check_capacity(instance.instance_type, instance.availability_zone)
            self._enter(instance, "pending")
            self._boot_later(instance)
            return previous

    def reboot(self, instance: Moto) -> None:
        """RebootInstances: the same host; a dead one stays dead.

        Raises:
            ApiError: it does not run.

        """
        with self._compute.lock:
            if instance.state != "running":
                raise ApiError("IncorrectInstanceState", f"The instance '{instance.id}' is not 'running'.")
            if instance.id in self._lost:
                return
            self._power_off(instance, hard=False)
            self._compute.mirror.power_on(instance)
        self._booted(instance)

    def terminate(self, instance: Moto, *, hard: bool = False) -> Moto:
        """TerminateInstances; → the previous state. Doing it again changes nothing."""
        with self._compute.lock:
            previous = _copy(instance)
            if instance.state not in ("shutting-down", "terminated"):
                delay_s = self._compute.pace.shutting_down_s
                self._leave(instance, "shutting-down", delay_s, self._terminated, hard=hard)
            return previous

    def _terminated(self, instance: Moto) -> None:
        with self._compute.lock:
            if instance.state == "shutting-down":
                self._end(instance, _by_user())

    def _end(self, instance: Moto, reason: Moto) -> None:
        """Nothing is left of an instance but its entry; volumes and ENIs go as their DeleteOnTermination says."""
        compute = self._compute
        self._power_off(instance, hard=True)
        self._launching.discard(instance.id)
        self.checks.heal(instance.id)
        doomed = {b.volume_id for b in instance.block_device_mapping.values() if b.delete_on_termination}
        for volume in compute.volumes_of(instance):
            compute.volumes.loose(volume)
            if volume.id in doomed:
                compute.backend.volumes.pop(volume.id, None)
                compute.volumes.deleted(volume.id)
        nics, instance.nics = list(instance.nics.values()), {}
        instance._subnet_id = None  # noqa: SLF001  # moto's only place for it
        self._enter(instance, "terminated", reason)
        for eni in nics:
            compute.interfaces.release(eni, delete=bool(eni.delete_on_termination))
        compute.backend.iam_instance_profile_associations.pop(instance.id, None)
        delay_s = compute.pace.terminated_visible_s
        compute.clockwork.after(delay_s, lambda: self._forget(instance), resource=instance.id, state="terminated")

    def _forget(self, instance: Moto) -> None:
        for reservation in list(self._compute.backend.reservations.values()):
            reservation.instances = [other for other in reservation.instances if other is not instance]

    def _enter(self, instance: Moto, state: str, reason: Moto = None) -> None:
        _show(instance, state, reason)
        self._compute.changes.tell(Change("instance", instance.id, state))


def _show(instance: Moto, state: str, reason: Moto) -> None:
    instance._state = InstanceState(state, CODES[state])  # noqa: SLF001  # moto's only place for it
    instance.state_reason = reason or StateReason()
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S GMT")
    instance._reason = f"User initiated ({at})" if reason else ""  # noqa: SLF001  # the same


def _copy(instance: Moto) -> Moto:
    return InstanceState(instance.state, instance.state_code)


def _by_user() -> Moto:
    return StateReason("Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown")
