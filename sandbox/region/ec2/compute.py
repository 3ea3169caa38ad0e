"""EC2's moving parts together: one lock, one clock, and the seams by which tests make hardware fail."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from sandbox.region.clockwork import Clockwork
from sandbox.region.ec2 import user_data
from sandbox.region.ec2.checks import Check
from sandbox.region.ec2.initializations import Initializations
from sandbox.region.ec2.instances import Instances
from sandbox.region.ec2.interfaces import Interfaces
from sandbox.region.ec2.keys import Keys
from sandbox.region.ec2.locks import Locks
from sandbox.region.ec2.pages import Pages
from sandbox.region.ec2.tokens import Tokens
from sandbox.region.ec2.visibility import Visibility
from sandbox.region.ec2.volume_checks import VolumeChecks
from sandbox.region.ec2.volumes import Volumes
from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


class Compute:
    """Instances, volumes and interfaces of a region."""

    def __init__(self, region: "Region") -> None:
        self._region = region
        self.pace, self.mirror, self.commands = region.pace, region.mirror, region.commands
        self.changes = region.changes
        self.lock = threading.RLock()
        """Held while anything changes; moto itself knows no locks."""
        self.clockwork = Clockwork()
        self.tokens, self.pages, self.visibility = Tokens(), Pages(), Visibility()
        self.keys, self.locks = Keys(region), Locks(region)
        self.initializations, self.volume_checks = Initializations(self), VolumeChecks(self)
        self.instances = Instances(self)
        self.volumes = Volumes(self)
        self.interfaces = Interfaces(self)
        self._short: set[tuple[str, str]] = set()

    @property
    def backend(self) -> Moto:
        """Moto's EC2 of this account and region."""
        return ec2_backends[self._region.account][self._region.region]

    def instance(self, instance_id: str) -> Moto:
        """An instance, visible to others or not.

        Raises:
            LookupError: there is none.

        """
        for instance in self.all_instances():
            if instance.id == instance_id:
                return instance
        raise LookupError(instance_id)

    def all_instances(self) -> list[Moto]:
        """All instances, terminated ones too, seen by no fault and no recorder."""
        return [i for reservation in list(self.backend.reservations.values()) for i in reservation.instances]

    def volumes_of(self, instance: Moto) -> list[Moto]:
        """The volumes attached to an instance, in whatever state the attachment is."""
        attached = [v for v in list(self.backend.volumes.values()) if v.attachment]
        return [volume for volume in attached if volume.attachment.instance is instance]

    def role_of(self, instance_id: str) -> str | None:
        """The name of the role in an instance's profile, if it has one."""
        profile = self.instance(instance_id).iam_instance_profile
        if not profile:
            return None
        profiles = iam_backends[self._region.account]["aws"].instance_profiles.values()
        roles = [role.name for found in profiles if found.arn == profile["Arn"] for role in found.roles]
        return roles[0] if roles else None

    def boot(self, instance: Moto, start_services: Callable[[], None]) -> None:
        """Let a node that has just been powered on run its user data; between hooks and scripts come its services."""
        plane, delay_s = self._region.plane, self.pace.user_data_s
        user_data.run(plane, instance.id, instance.user_data, delay_s=delay_s, start_services=start_services)

    # -- hardware fails on demand ----------------------------------------------------------------------------------

    def stick(self, resource_id: str, state: str) -> None:
        """Let an instance, volume or ENI stay in a passing state (``shutting-down``, ``detaching`` …)."""
        self.clockwork.stick(resource_id, state)

    def unstick(self, resource_id: str, state: str) -> None:
        """Let it go on."""
        self.clockwork.unstick(resource_id, state)

    def impair(self, instance_id: str, *checks: Check) -> None:
        """Let status checks fail; the node goes on working."""
        self.instances.checks.impair(instance_id, *checks)

    def heal(self, instance_id: str) -> None:
        """Let status checks pass again."""
        self.instances.checks.heal(instance_id)

    def use_volume(self, volume_id: str) -> None:
        """Let the guest go on using a volume: who detaches it without force finds it ``busy``."""
        self.volumes.used.add(volume_id)

    def leave_volume(self, volume_id: str) -> None:
        """Let the guest unmount it."""
        self.volumes.used.discard(volume_id)

    def run_short(self, instance_type: str, zone: str) -> None:
        """Have no capacity for a type in a zone until `stock_up`."""
        self._short.add((instance_type, zone))

    def stock_up(self, instance_type: str, zone: str) -> None:
        """Have capacity again."""
        self._short.discard((instance_type, zone))

    def check_capacity(self, instance_type: str, zone: str) -> None:
        """Refuse what there is no hardware for.

        Raises:
            ApiError: there is none.

        """
        if (instance_type, zone) in self._short:
            message = (
                f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you "
                f"requested ({zone})."
            )
            raise ApiError("InsufficientInstanceCapacity", message, status=500)
