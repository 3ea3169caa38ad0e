"""What ``stage`` is asked to do: the JSON behind its address, checked field by field before anything is touched."""

import re
from dataclasses import dataclass
from typing import List, Optional, Tuple

from aerokeep_node.order_fields import Fields, invalid

ROLES = ("device", "shadow", "file", "backing")
SMD_ACTIONS = ("replace", "clear", "keep")
CONF_ACTIONS = ("replace", "keep")
CONF_NAME = "aerospike.conf"
_VOLUME = re.compile(r"vol-[0-9a-f]+")
_POINT = re.compile(r"/[A-Za-z0-9._/@+-]*")
_FS_TYPE = re.compile(r"[a-z0-9]+")
_OPTIONS = re.compile(r"[A-Za-z0-9_=,.:/+-]+")
_PATH = re.compile(r"/[^\s{}#;]+")
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,31}")
_RANDOM = re.compile(r"[0-9a-f]{16}")
_NODE_ID = re.compile(r"[0-9A-Fa-f]{1,16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SMD_NAME = re.compile(r"[A-Za-z0-9_-]+\.smd")
_URL = re.compile(r"https?://\S+")


@dataclass(frozen=True)
class MountOrder:
    """Where the filesystem of a volume belongs."""

    point: str
    fs_type: str
    options: str


@dataclass(frozen=True)
class VolumeOrder:
    """A volume that must be attached."""

    volume_id: str
    mount: Optional[MountOrder]


@dataclass(frozen=True)
class DeviceOrder:
    """A storage path as the conf names it; without a volume it is instance store."""

    namespace: str
    path: str
    role: str
    volume_id: Optional[str]


@dataclass(frozen=True)
class SetOrder:
    """What the headers of a namespace's devices must say."""

    namespace: str
    n_devices: int
    random: Optional[str]
    version: Optional[int]
    blank: bool


@dataclass(frozen=True)
class FileOrder:
    """A file to be fetched."""

    name: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Order:
    """All of it."""

    node_id: Optional[str]
    volumes: Tuple[VolumeOrder, ...]
    devices: Tuple[DeviceOrder, ...]
    sets: Tuple[SetOrder, ...]
    smd_action: str
    smd_files: Tuple[FileOrder, ...]
    conf_action: str
    conf_files: Tuple[FileOrder, ...]
    first_start: bool
    reject_writes: Tuple[str, ...]
    cold_start_empty: Tuple[str, ...]
    cut_at: Optional[float]
    clock_error_s: Optional[float]

    def saved_devices(self, namespace: str) -> List[DeviceOrder]:
        """Give what the server reads a namespace from: the shadows where there are any, else devices and files."""
        devices = [device for device in self.devices if device.namespace == namespace]
        return [device for device in devices if device.role == "shadow"] or devices

    def mount_of(self, device: DeviceOrder) -> Optional[MountOrder]:
        """Give the mount that a path lies below, if the order has one for it."""
        mounts = [volume.mount for volume in self.volumes if volume.mount is not None]
        below = [mount for mount in mounts if device.path.startswith(mount.point.rstrip("/") + "/")]
        return max(below, key=lambda mount: len(mount.point)) if below else None


def parse_order(document: object) -> Order:
    """Check and shape an order.

    Raises:
        RefusalError: ``spec_invalid``, naming the field.

    """
    fields = Fields("spec", document)
    smd, conf = Fields("smd", fields.take("smd")), Fields("conf", fields.take("conf"))
    first = fields.take("first_start")
    settings = Fields("first_start", first) if first is not None else None
    order = Order(
        node_id=fields.optional_text("node_id", _NODE_ID),
        volumes=tuple(_volume(entry) for entry in fields.list("volumes")),
        devices=tuple(_device(entry) for entry in fields.list("devices")),
        sets=tuple(_set(entry) for entry in fields.list("sets")),
        smd_action=smd.choice("action", SMD_ACTIONS),
        smd_files=tuple(_file(entry, _SMD_NAME) for entry in smd.list("files")),
        conf_action=conf.choice("action", CONF_ACTIONS),
        conf_files=tuple(_file(entry, re.compile(re.escape(CONF_NAME))) for entry in conf.list("files")),
        first_start=settings is not None,
        reject_writes=settings.texts("reject_writes", _NAMESPACE) if settings else (),
        cold_start_empty=settings.texts("cold_start_empty", _NAMESPACE) if settings else (),
        cut_at=fields.optional_number("cut_at"),
        clock_error_s=fields.optional_number("clock_error_s"),
    )
    for part in (fields, smd, conf, settings):
        if part is not None:
            part.end()
    _judge_whole(order)
    return order


def _judge_whole(order: Order) -> None:
    if order.conf_action == "replace" and len(order.conf_files) != 1:
        raise invalid(f"conf.files: exactly one file {CONF_NAME} is expected")
    if {device.namespace for device in order.devices} != {one.namespace for one in order.sets}:
        raise invalid("sets: one for each namespace that has devices, and no other")
    if len({one.namespace for one in order.sets}) != len(order.sets):
        raise invalid("sets: a namespace stands there twice")
    attached = {volume.volume_id for volume in order.volumes}
    for device in order.devices:
        if device.volume_id is not None and device.volume_id not in attached:
            raise invalid(f"devices: {device.volume_id} of {device.path} is not among the volumes")


def _volume(entry: object) -> VolumeOrder:
    fields = Fields("volumes", entry)
    mount = fields.take("mount")
    order = VolumeOrder(fields.text("volume_id", _VOLUME), None if mount is None else _mount(mount))
    fields.end()
    return order


def _mount(entry: object) -> MountOrder:
    fields = Fields("mount", entry)
    order = MountOrder(fields.text("point", _POINT), fields.text("fs_type", _FS_TYPE), fields.text("options", _OPTIONS))
    fields.end()
    return order


def _device(entry: object) -> DeviceOrder:
    fields = Fields("devices", entry)
    order = DeviceOrder(
        fields.text("namespace", _NAMESPACE),
        fields.text("path", _PATH),
        fields.choice("role", ROLES),
        fields.optional_text("volume_id", _VOLUME),
    )
    fields.end()
    return order


def _set(entry: object) -> SetOrder:
    fields = Fields("sets", entry)
    version = fields.optional_number("version")
    order = SetOrder(
        fields.text("namespace", _NAMESPACE),
        int(fields.number("n_devices")),
        fields.optional_text("random", _RANDOM),
        None if version is None else int(version),
        fields.flag("blank"),
    )
    fields.end()
    return order


def _file(entry: object, name: "re.Pattern[str]") -> FileOrder:
    fields = Fields("files", entry)
    order = FileOrder(
        fields.text("name", name), fields.text("url", _URL), fields.text("sha256", _SHA256), int(fields.number("size"))
    )
    fields.end()
    return order
