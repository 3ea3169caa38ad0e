"""Launch light clusters: instances through the public API, then conf, filesystems and data as an installer does."""

import ipaddress
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.database import Layout, aerospike_conf
from sandbox.light.content import Content, Data
from sandbox.light.host import CONF, FSTAB, Host
from sandbox.light.plane import LightPlane
from sandbox.light.server import BUILD, Server
from sandbox.region.nodes import ROOT_DEVICE
from sandbox.region.region import Region

NETWORK = ipaddress.ip_network("10.77.0.0/16")
FIRST_ADDRESS = 10
FILE_DEVICE = "/dev/sdf"
RAW_DEVICE = "/dev/sdg"
RAW_DEVICES = (RAW_DEVICE,)
DATA_DEVICES = (FILE_DEVICE, *RAW_DEVICES)
MOUNT_POINT = "/opt/aerospike/data"
WORK_DIRECTORY = "/opt/aerospike"
NAMESPACES = ("test", "raw")
RECORDS = 300
INDEX = [[4_711, 1], {"key": "test|witness|n|.|N", "value": "by_n", "generation": 1, "timestamp": 500_000_000_000}]
"""What ``sindex.smd`` holds on every node."""
PATIENCE_S = 60.0
POLL_S = 0.02


@dataclass(frozen=True)
class Member:
    """One node as it was launched."""

    node_id: str
    instance_id: str
    private_ip: str


@dataclass(frozen=True)
class Hardware:
    """What the instances of clusters are made with, beyond the defaults."""

    profile: str | None = None
    """The name of an instance profile that exists."""
    kms_key_id: str | None = None
    """The key of all volumes; none are encrypted without one."""
    key_name: str | None = None
    files: bool = True
    """The first namespace is kept in a file; else on its device, and nothing needs to be frozen."""


@dataclass(frozen=True)
class LightCluster:
    """A cluster of light hosts; its instances may be replaced, its addresses and node-ids stay."""

    plane: LightPlane
    name: str
    members: tuple[Member, ...]

    @property
    def addresses(self) -> frozenset[str]:
        """The private addresses."""
        return frozenset(member.private_ip for member in self.members)

    def servers(self) -> list[Server]:
        """Those that run now."""
        return self.plane.servers(self.name)

    def timelines(self) -> dict[str, dict[str, str]]:
        """Node-id → namespace → timeline, of the servers that run now."""
        with self.plane.lock:
            return {s.node_id: {name: s.data(name).timeline for name in s.namespaces} for s in self.servers()}

    def write(self, timeline: str) -> None:
        """Let clients have written until the whole cluster holds `timeline`."""
        for name in NAMESPACES:
            self.plane.write(self.name, name, Data(timeline, RECORDS))


class LightClusters:
    """The network and the image that light clusters are launched with."""

    def __init__(self, region: Region, plane: LightPlane, hardware: Hardware | None = None) -> None:
        self._region, self._plane = region, plane
        self._hardware = hardware or Hardware()
        ec2 = region.client("ec2")
        vpc_id = ec2.create_vpc(CidrBlock=str(NETWORK))["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock=str(NETWORK), AvailabilityZone=f"{region.region}a")
        self._subnet_id = subnet["Subnet"]["SubnetId"]
        self._image_id = ec2.register_image(Name="aerokeep-light-node")["ImageId"]
        self._bare_image_id = ec2.register_image(Name="aerokeep-light-node-of-any-build")["ImageId"]
        ec2.create_tags(Resources=[self._image_id], Tags=_tags({"aerokeep:build": BUILD}))
        self._numbers = itertools.count(FIRST_ADDRESS)

    def launch(
        self,
        name: str,
        *,
        tag: tuple[str, str],
        nodes: int = 3,
        raw_devices: Sequence[str] = RAW_DEVICES,
        timeline: str = "first",
        known_build: bool = True,
    ) -> LightCluster:
        """A cluster of `nodes` that serves, with all of its records on `timeline`.

        Args:
            name: its name.
            tag: the tag of its instances.
            nodes: how many.
            raw_devices: their data volumes beside the one with a filesystem.
            timeline: see `LightCluster.write`.
            known_build: its image is tagged with the build that it holds.

        """
        image_id = self._image_id if known_build else self._bare_image_id
        addresses = [str(NETWORK[next(self._numbers)]) for _ in range(nodes)]
        devices = (FILE_DEVICE, *raw_devices)
        ids = [
            self._run_instance(f"{name}-{number}", ip, tag, image_id=image_id, devices=devices)
            for number, ip in enumerate(addresses, start=1)
        ]
        members = tuple(
            Member(f"A{number}", instance_id, ip)
            for number, (instance_id, ip) in enumerate(zip(ids, addresses, strict=True), start=1)
        )
        self._until(lambda: all(self._listens(member.instance_id) for member in members), members)
        for member in members:
            self._install(name, member, addresses, raw_devices)
        cluster = LightCluster(self._plane, name, members)
        self._until(lambda: all(server.ready for server in cluster.servers()), cluster)
        cluster.write(timeline)
        return cluster

    def _run_instance(
        self, name: str, private_ip: str, tag: tuple[str, str], *, image_id: str, devices: Sequence[str]
    ) -> str:
        """As an operator who leaves all defaults: volumes and interface would go with the instance."""
        sealed = _sealed(self._hardware)
        disks = [{"DeviceName": ROOT_DEVICE, "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True, **sealed}}]
        disks += [{"DeviceName": device, "Ebs": {"VolumeSize": 4, "VolumeType": "gp3", **sealed}} for device in devices]
        tags = _tags({"Name": name, tag[0]: tag[1]})
        made = self._region.client("ec2").run_instances(
            ImageId=image_id,
            InstanceType="m5.large",
            MinCount=1,
            MaxCount=1,
            SubnetId=self._subnet_id,
            PrivateIpAddress=private_ip,
            BlockDeviceMappings=disks,
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
            **_options(self._hardware),
        )
        return str(made["Instances"][0]["InstanceId"])

    def _listens(self, instance_id: str) -> bool:
        return self._region.commands.agent(instance_id).listens

    def _install(self, name: str, member: Member, addresses: list[str], raw_devices: Sequence[str]) -> None:
        """What an installer leaves: conf, index, a filesystem, and a server that has been started."""
        with self._plane.lock:
            host = self._plane.host(member.instance_id)
            volume = host.volume_at(FILE_DEVICE)
            if volume is not None and self._hardware.files:
                volume.content = Content(fs_type="ext4")
            layout = _layout(member, host, addresses, raw_devices, in_file=self._hardware.files)
            for path, content in _files(name, layout, self._fstab(host)).items():
                host.write(path, content)
            self._plane.boot(member.instance_id)

    def _fstab(self, host: Host) -> str:
        """The line of the filesystem that holds files; empty where nothing is kept in files."""
        found = [host.device_of(volume) for volume in host.devices.values() if volume.device == FILE_DEVICE]
        return f"{found[0]} {MOUNT_POINT} ext4 defaults 0 2\n" if self._hardware.files else ""

    @staticmethod
    def _until(question: Callable[[], bool], what: object) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not question():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready: {what}")
            time.sleep(POLL_S)


def _layout(member: Member, host: Host, addresses: list[str], raw_devices: Sequence[str], *, in_file: bool) -> Layout:
    device_at = {volume.device: host.device_of(volume) for volume in host.devices.values()}
    return Layout(
        node_id=member.node_id.lower(),
        private_ip=member.private_ip,
        data_file=f"{MOUNT_POINT}/test.dat",
        data_device=None if in_file else device_at[FILE_DEVICE],
        raw_devices=tuple(device_at[device] for device in raw_devices),
        work_directory=WORK_DIRECTORY,
        log_file="/var/log/aerospike/aerospike.log",
        seeds=tuple(addresses),
    )


def _files(name: str, layout: Layout, fstab: str) -> Mapping[str, bytes]:
    return {
        CONF: aerospike_conf(layout).replace("cluster-name demo", f"cluster-name {name}").encode(),
        FSTAB: fstab.encode(),
        f"{WORK_DIRECTORY}/smd/sindex.smd": json.dumps(INDEX).encode(),
    }


def _sealed(hardware: Hardware) -> dict[str, Any]:
    return {"Encrypted": True, "KmsKeyId": hardware.kms_key_id} if hardware.kms_key_id else {}


def _options(hardware: Hardware) -> dict[str, Any]:
    """What RunInstances is asked beyond the defaults."""
    options: dict[str, Any] = {}
    if hardware.profile:
        options["IamInstanceProfile"] = {"Name": hardware.profile}
    if hardware.key_name:
        options["KeyName"] = hardware.key_name
    return options


def _tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
