"""EBS volumes as AWS shows them: states of volumes and attachments, and what each state forbids."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.dataplane.plane import DataPlaneError
from sandbox.region.faults import ApiError

if TYPE_CHECKING:
    from sandbox.region.ec2.compute import Compute

Moto = Any
BUSY_RETRY_S = 0.1


class Volumes:
    """States of volumes; moto keeps the rest."""

    def __init__(self, compute: "Compute") -> None:
        self._compute = compute
        self._own: dict[str, str] = {}
        self.used: set[str] = set()
        """Volumes that their guest does not let go."""

    def status(self, volume: Moto) -> str:
        """``creating``, ``available``, ``in-use``, ``deleting`` or ``error``."""
        return self._own.get(volume.id) or ("in-use" if volume.attachment else "available")

    def created(self, volume: Moto) -> None:
        """Begin a new volume's life."""
        self._own[volume.id] = "creating"
        delay_s = self._compute.pace.volume_creating_s
        self._compute.visibility.hide(volume.id, self._compute.pace.volume_invisible_s)
        self._compute.clockwork.after(delay_s, lambda: self._ready(volume), resource=volume.id, state="creating")

    def _ready(self, volume: Moto) -> None:
        """The end of ``creating``: only now does anybody ask for the key."""
        if self._own.get(volume.id) != "creating":
            return
        if doom := self._compute.keys.doom(volume.kms_key_id):
            self.fail(volume.id, doom)
            return
        del self._own[volume.id]
        self._compute.changes.ended("createVolume", "available", volume.id)
        if self._compute.initializations.told(volume.id):
            left_s = self._compute.initializations.left_s(volume.id) + self._compute.pace.initialization_lag_s
            self._compute.clockwork.after(
                left_s, lambda: self._initialized(volume.id), resource=volume.id, state="initializing"
            )

    def _initialized(self, volume_id: str) -> None:
        if volume_id in self._compute.backend.volumes:
            self._compute.changes.ended("initializeVolume", "succeeded", volume_id)

    def fail(self, volume_id: str, message: str = "") -> None:
        """Put a volume into ``error``, as AWS does when, say, its key cannot be used."""
        self._own[volume_id] = "error"
        self._compute.initializations.forget(volume_id)
        self._compute.changes.ended("createVolume", "failed", volume_id, cause=message)

    def check_attach(self, volume: Moto, instance: Moto, device: str) -> None:
        """Refuse what AWS refuses.

        Raises:
            ApiError: with AWS's code.

        """
        if self._compute.instances.is_launching(instance):
            return
        status = self.status(volume)
        if status == "in-use":
            raise ApiError("VolumeInUse", f"{volume.id} is already attached to an instance")
        if status != "available":
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is in the '{status}' state, not 'available'.")
        if instance.state not in ("running", "stopped"):
            raise ApiError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
        if volume.availability_zone != instance.availability_zone:
            message = f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'"
            raise ApiError("InvalidVolume.ZoneMismatch", message)
        if device in instance.block_device_mapping:
            message = f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
            raise ApiError("InvalidParameterValue", message)

    def attaching(self, instance: Moto, volume: Moto, device: str) -> None:
        """Begin an attachment; one that a launch makes becomes ``attached`` when the instance runs."""
        attachment = volume.attachment
        _show(attachment, "attaching")
        if self._compute.instances.is_launching(instance):
            return
        self._compute.mirror.attach(instance, volume.id, device)
        delay_s = self._compute.pace.attach_s
        self._compute.clockwork.after(delay_s, lambda: self.attached(attachment), resource=volume.id, state="attaching")

    def attached(self, attachment: Moto) -> None:
        """The attachment is complete, or given up: without its key a volume is of no use to an instance."""
        volume = attachment.volume
        if volume.attachment is not attachment or attachment.status != "attaching":
            return
        if doom := self._compute.keys.doom(volume.kms_key_id):
            with self._compute.lock:
                self._compute.mirror.detach(volume.id, force=True)
                self.loose(volume)
            self._compute.changes.ended("attachVolume", "failed", volume.id, cause=doom)
        else:
            _show(attachment, "attached")

    def check_detach(self, volume: Moto, instance_id: str | None) -> None:
        """Refuse what AWS refuses.

        Raises:
            ApiError: with AWS's code.

        """
        attachment = volume.attachment
        if attachment is None:
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is in the '{self.status(volume)}' state.")
        instance = attachment.instance
        if instance_id and instance_id != instance.id:
            message = f"Volume '{volume.id}' is not attached to instance '{instance_id}'"
            raise ApiError("InvalidAttachment.NotFound", message)
        if attachment.device == instance.root_device_name and instance.state != "stopped":
            message = f"Unable to detach root volume '{volume.id}' from instance '{instance.id}'"
            raise ApiError("OperationNotPermitted", message)

    def detaching(self, volume: Moto, *, force: bool) -> Moto:
        """Begin to detach; → the attachment."""
        attachment = volume.attachment
        again = attachment.status in ("detaching", "busy")
        if again and not force:
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is already being detached.")
        _show(attachment, "detaching")
        delay_s = self._compute.pace.detach_s
        state = "force-detaching" if force else "detaching"  # what is stuck gives way to force
        self._compute.clockwork.after(
            delay_s, lambda: self._let_go(attachment, force=force), resource=volume.id, state=state
        )
        return attachment

    def _let_go(self, attachment: Moto, *, force: bool) -> None:
        """The end of a detach: a guest that uses the volume makes it ``busy``, a dead one never lets go by itself."""
        with self._compute.lock:
            if attachment.volume.attachment is not attachment:
                return
            if self._unplug(attachment, force=force):
                self.loose(attachment.volume)
            else:
                self._try_again(attachment)

    def _unplug(self, attachment: Moto, *, force: bool) -> bool:
        mirror, instance = self._compute.mirror, attachment.instance
        if instance.state == "running" and not mirror.is_on(instance.id) and not force:
            return False
        if attachment.volume.id in self.used and instance.state == "running" and not force:
            _show(attachment, "busy")
            return False
        try:
            mirror.detach(attachment.volume.id, force=force)
        except DataPlaneError:
            _show(attachment, "busy")
            return False
        return True

    def _try_again(self, attachment: Moto) -> None:
        self._compute.clockwork.after(
            BUSY_RETRY_S,
            lambda: self._let_go(attachment, force=False),
            resource=attachment.volume.id,
            state="detaching",
        )

    @staticmethod
    def loose(volume: Moto) -> None:
        """The volume belongs to no instance any more."""
        attachment, volume.attachment = volume.attachment, None
        if attachment:
            attachment.instance.block_device_mapping.pop(attachment.device, None)
            attachment.status = "detached"

    def check_delete(self, volume: Moto) -> None:
        """Only an available (or failed) volume can be deleted.

        Raises:
            ApiError: with AWS's code.

        """
        status = self.status(volume)
        if status == "in-use":
            message = f"Volume {volume.id} is currently attached to {volume.attachment.instance.id}"
            raise ApiError("VolumeInUse", message)
        if status in ("creating", "deleting"):
            raise ApiError("IncorrectState", f"Volume '{volume.id}' is in the '{status}' state.")

    def deleting(self, volume: Moto, end: Callable[[], object]) -> None:
        """Begin to delete; `end` takes it out of moto's books."""
        self._own[volume.id] = "deleting"
        delay_s = self._compute.pace.volume_deleting_s
        self._compute.clockwork.after(delay_s, lambda: self._gone(volume.id, end), resource=volume.id, state="deleting")

    def _gone(self, volume_id: str, end: Callable[[], object]) -> None:
        with self._compute.lock:
            end()
            self.deleted(volume_id)

    def deleted(self, volume_id: str) -> None:
        """Forget it, here and in the plane."""
        self._own.pop(volume_id, None)
        self._compute.initializations.forget(volume_id)
        self._compute.mirror.delete_volume(volume_id)
        self._compute.changes.ended("deleteVolume", "deleted", volume_id)


def _show(attachment: Moto, status: str) -> None:
    """Both places where an attachment's state can be read: the volume's and the instance's."""
    attachment.status = status
    if block := attachment.instance.block_device_mapping.get(attachment.device):
        block.status = status
