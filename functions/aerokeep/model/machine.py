"""An EC2 instance looked at by its id, in whatever state it is, with what must outlive it."""

from pydantic import Field

from aerokeep.model.wire import Wire

GONE = frozenset({"terminated", "absent"})
RUNS = frozenset({"pending", "running"})


class BlockDevice(Wire):
    """A volume as the instance has it."""

    device: str
    volume_id: str
    delete_on_termination: bool


class NetworkAttachment(Wire):
    """A network interface as the instance has it."""

    interface_id: str
    attachment_id: str
    device_index: int
    delete_on_termination: bool
    private_ip: str
    mac_address: str
    subnet_id: str
    groups: tuple[str, ...]


class Machine(Wire):
    """What DescribeInstances says of one instance; terminated ones stay visible for about an hour."""

    instance_id: str
    state: str
    """``absent`` where EC2 does not know it (any more, or not yet)."""
    state_reason: str = ""
    zone: str = ""
    instance_type: str = ""
    image_id: str = ""
    root_device: str = ""
    block_devices: tuple[BlockDevice, ...] = ()
    interfaces: tuple[NetworkAttachment, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    client_token: str = ""

    @property
    def primary(self) -> NetworkAttachment | None:
        """The interface at index 0, which can't be detached while the instance exists (aws.md §D1)."""
        return next((interface for interface in self.interfaces if interface.device_index == 0), None)

    @property
    def data_devices(self) -> tuple[BlockDevice, ...]:
        """Everything but the boot volume."""
        return tuple(device for device in self.block_devices if device.device != self.root_device)


class StatusChecks(Wire):
    """EC2's own checks: ``ok``, ``impaired``, ``initializing``, ``insufficient-data`` or ``not-applicable``."""

    instance: str = "not-applicable"
    system: str = "not-applicable"
    attached_ebs: str = "not-applicable"

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that fail."""
        return tuple(name for name, status in sorted(self.model_dump().items()) if status == "impaired")


class Image(Wire):
    """An AMI."""

    image_id: str
    state: str
    tags: dict[str, str]


class Interface(Wire):
    """A network interface by itself."""

    interface_id: str
    status: str
    """``available``, ``attaching``, ``in-use`` or ``detaching``."""
    private_ip: str
    mac_address: str
    subnet_id: str
    zone: str
    instance_id: str | None = None
    """Whose it is now; None where it is free, or attached to something that is no instance."""
    tags: dict[str, str]
