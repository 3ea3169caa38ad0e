"""An EC2 instance as far as backups and replacements need it."""

from typing import Any

from aerokeep.model.wire import Wire


class AttachedVolume(Wire):
    """An EBS volume attached to an instance."""

    volume_id: str
    device: str
    size_gib: int
    encrypted: bool
    kms_key_id: str | None = None


class Instance(Wire):
    """What DescribeInstances and DescribeVolumes say together."""

    instance_id: str
    state: str
    private_ip: str
    root_device: str
    volumes: dict[str, AttachedVolume]
    spec: dict[str, Any]
    """What a relaunch would need: type, zone, subnet, interfaces, groups, image, profile, tags."""
