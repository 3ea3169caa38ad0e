"""An EBS volume as DescribeVolumes tells it."""

from typing import Literal

from aerokeep.model.wire import Wire

VolumeState = Literal["creating", "available", "in-use", "deleting", "deleted", "error"]
AttachmentState = Literal["attaching", "attached", "detaching", "detached", "busy"]


class Attachment(Wire):
    """Where a volume is attached, or is on its way to or from."""

    instance_id: str
    device: str
    state: AttachmentState


class Volume(Wire):
    """One volume."""

    volume_id: str
    state: VolumeState
    zone: str
    size_gib: int
    volume_type: str
    iops: int | None = None
    throughput_mibps: int | None = None
    encrypted: bool
    kms_key_id: str | None = None
    snapshot_id: str | None = None
    tags: dict[str, str]
    attachment: Attachment | None = None

    @property
    def attached_to(self) -> str | None:
        """The instance to which it is attached for good, not on its way."""
        at = self.attachment
        return at.instance_id if at is not None and at.state == "attached" else None


class NewVolume(Wire):
    """A volume to be made; the same ``token`` twice makes one volume."""

    token: str
    """EC2's ClientToken: at most 64 ASCII characters."""
    zone: str
    size_gib: int
    snapshot_id: str | None
    """None: blank."""
    volume_type: str
    iops: int | None = None
    throughput_mibps: int | None = None
    encrypted: bool
    kms_key_id: str | None = None
    tags: dict[str, str]
