"""A simulated server: what it makes of its conf and its devices when it starts, and what it holds while it runs."""

import random
import time
from dataclasses import dataclass, field, replace

from aerokeep_node.conf import Context, parse_conf, storage_paths
from aerokeep_node.formats.device_header import FLAG_TRUSTED, MOST_DEVICES

from sandbox.light.content import Data, Extent, new_header
from sandbox.light.host import CONF, DROP_IN, FIRST_START_CONF, Host, Place

BUILD = "8.1.2.0"
DEFAULT_WORK_DIRECTORY = "/opt/aerospike"


class StartError(Exception):
    """The server ended by itself; the message is the end of its log."""


@dataclass(frozen=True)
class StoragePath:
    """One device or file of a namespace, as the conf names it."""

    path: str
    role: str
    index: int


@dataclass
class Namespace:
    """One namespace of a running server."""

    name: str
    conf: Context
    paths: tuple[StoragePath, ...]
    guarded: bool
    full: bool = False

    @property
    def saved_paths(self) -> tuple[StoragePath, ...]:
        """The shadows where there are any, else devices and files."""
        shadows = tuple(path for path in self.paths if path.role == "shadow")
        return shadows or self.paths

    @property
    def replication_factor(self) -> int:
        """As configured."""
        return int(self.conf.get("replication-factor") or 1)


@dataclass(eq=False)
class Server:
    """A server process."""

    host: Host
    conf_path: str
    conf: Context
    namespaces: dict[str, Namespace]
    pid: int
    started_at: float = field(default_factory=time.monotonic)
    ready_at: float = 0.0
    fill_at: float | None = None
    """When migrations will have brought what it lacks; None where it lacks nothing."""

    @property
    def ready(self) -> bool:
        """It answers."""
        return time.monotonic() >= self.ready_at

    @property
    def first_start(self) -> bool:
        """It runs on the first-start conf."""
        return self.conf_path == FIRST_START_CONF

    @property
    def node_id(self) -> str:
        """As configured; else made of the address, as the real one makes it of the MAC."""
        return node_id_of(self.conf, self.host)

    @property
    def cluster_name(self) -> str:
        """Who joins whom is told by the name alone."""
        return setting(self.conf, "cluster-name") or ""

    def data(self, name: str) -> Data:
        """What it holds of a namespace."""
        place = self.host.place(self.namespaces[name].saved_paths[0].path)
        extent = place.extent if place is not None else None
        return extent.data if extent is not None else Data()

    def put(self, name: str, data: Data) -> None:
        """Let every device of the namespace hold it."""
        for path in self.namespaces[name].paths:
            place = self.host.place(path.path)
            if place is not None and place.extent is not None:
                place.put(replace(place.extent, data=replace(data, part=self.node_id)))

    def stop(self) -> None:
        """A clean end: the headers say so."""
        for namespace in self.namespaces.values():
            for path in namespace.paths:
                place = self.host.place(path.path)
                if place is not None and place.extent is not None:
                    place.put(replace(place.extent, header=replace(place.extent.header, flags=FLAG_TRUSTED)))
        self.host.server = None


def setting(conf: Context, name: str) -> str | None:
    """A setting of the service context."""
    service = conf.child("service")
    return service.get(name) if service is not None else None


def node_id_of(conf: Context, host: Host) -> str:
    """The node-id that a server with this conf has on this host."""
    told = setting(conf, "node-id")
    return (told or "BB9" + "".join(f"{int(part):02X}" for part in host.private_ip.split("."))).upper()


def work_directory_of(conf: Context) -> str:
    """Where the SMD files are."""
    return setting(conf, "work-directory") or DEFAULT_WORK_DIRECTORY


def conf_path_of(host: Host) -> str:
    """Which conf the unit would start the server with."""
    return FIRST_START_CONF if DROP_IN in host.files else CONF


def paths_of(namespace: Context) -> tuple[StoragePath, ...]:
    """The storage of a namespace, each device before its shadow."""
    found = []
    for index, words in enumerate(storage_paths(namespace)):
        role = "device" if words[0].startswith("/dev/") else "file"
        found.append(StoragePath(words[0], role, index))
        found += [StoragePath(shadow, "shadow", index) for shadow in words[1:]]
    return tuple(found)


def start(host: Host, *, start_s: float, pid: int) -> Server:
    """Start the server on the conf that the unit names.

    Raises:
        StartError: it refuses its conf or its devices.

    """
    conf_path = conf_path_of(host)
    text = host.read(conf_path)
    if text is None:
        raise StartError(f"CRITICAL (config): couldn't open configuration file {conf_path}")
    conf = parse_conf(text)
    namespaces = {}
    for context in conf.named("namespace"):
        name = context.words[1]
        guarded = context.get("reject-non-xdr-writes") == "true"
        namespaces[name] = Namespace(name, context, paths_of(context), guarded)
        _load(host, namespaces[name])
    server = Server(host, conf_path, conf, namespaces, pid, ready_at=time.monotonic() + start_s)
    host.server = server
    return server


def _load(host: Host, namespace: Namespace) -> None:
    """Cold start: the whole set or nothing; a blank set is initialised as a fresh one."""
    places = {path: host.place(path.path) for path in namespace.paths}
    if gone := [path.path for path, place in places.items() if place is None]:
        raise StartError(f"CRITICAL (drv_ssd): unable to open device {gone[0]}")
    saved = {path: place for path, place in places.items() if place is not None and path in namespace.saved_paths}
    data = _data_of(namespace.name, saved)
    if (storage := namespace.conf.child("storage-engine")) and storage.get("cold-start-empty") == "true":
        data = Data()
    signature = random.getrandbits(64) or 1
    devices = len({path.index for path in namespace.paths})
    for path, place in places.items():
        if place is not None:
            header = new_header(namespace.name, n_devices=devices, device_id=path.index, random=signature)
            place.put(Extent(header, data))


def _data_of(name: str, saved: dict[StoragePath, Place]) -> Data:
    extents = [place.extent for place in saved.values()]
    known = [extent for extent in extents if extent is not None]
    if not known:
        return Data()
    headers = [extent.header for extent in known]
    if {header.namespace for header in headers} != {name}:
        raise StartError(f"CRITICAL (drv_ssd): {{{name}}} device is of namespace {headers[0].namespace}")
    whole = len(known) == len(extents) == headers[0].n_devices <= MOST_DEVICES
    if not whole or len({header.random for header in headers}) > 1:
        raise StartError(f"CRITICAL (drv_ssd): {{{name}}} devices have different signatures, or are not all there")
    return known[0].data
