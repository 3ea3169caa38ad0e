"""What the states of instances, volumes and interfaces mean inside nodes that are namespaces with loop devices."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane
from sandbox.dataplane.probe import probe
from sandbox.region import Node, Region, VolumeSpec
from tests.workflow.region.ec2_shapes import (
    a_launch,
    a_volume,
    attached,
    becomes,
    ec2,
    eni,
    instance,
    keep_eni,
    primary_eni,
    state,
    subnet_id,
    terminated,
    volume,
)
from tests.workflow.region.shapes import eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not probe().namespaces, reason=f"needs namespaces and loop devices: {probe().missing}"),
]


@pytest.fixture
def real() -> Iterator[DataPlane]:
    made = choose(mode="namespaces")
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def region(real: DataPlane, layer: Path) -> Iterator[Region]:
    made = Region(real, layer=layer)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def node(region: Region, real: DataPlane) -> Node:
    return region.launch_node("one", real.node_ip(0), volumes=(VolumeSpec(device="/dev/sdf", size_gib=2),))


def _out(plane: DataPlane, instance_id: str, script: str) -> str:
    process = plane.spawn(instance_id, ["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    words, _ = process.communicate(timeout=20)
    return words.decode().strip()


def _mac(plane: DataPlane, instance_id: str) -> str:
    return _out(plane, instance_id, "cat /sys/class/net/eth0/address")


def _reached(plane: DataPlane, caller: str, host: Node | str, private_ip: str) -> bool:
    """A node can talk to an address at once, whatever it remembers of its former MAC."""
    instance_id = host if isinstance(host, str) else host.instance_id
    serve = f"import socket; s = socket.create_server(('{private_ip}', 3999)); print('up', flush=True); s.accept()"
    server = plane.spawn(instance_id, [sys.executable, "-c", serve], stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"up\n"
    call = f"import socket; socket.create_connection(('{private_ip}', 3999), 3); print('reached')"
    words = _out(plane, caller, f'{sys.executable} -c "{call}"')
    server.kill()
    server.communicate()
    return words == "reached"


def test_a_relaunched_node_has_the_interfaces_mac_and_its_volume(region: Region, real: DataPlane, node: Node) -> None:
    other = region.launch_node("two", real.node_ip(1))
    first = primary_eni(region, node)
    mac = eni(region, first)["MacAddress"]
    assert _mac(real, node.instance_id) == mac
    assert _reached(real, other.instance_id, node, node.private_ip)
    keep_eni(region, first)
    terminated(region, node.instance_id)
    assert eventually(lambda: eni(region, first)["Status"] == "available")
    launched = a_launch(region, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": first}])["InstanceId"]
    becomes(region, launched, "running")
    assert _mac(real, launched) == mac
    assert _reached(real, other.instance_id, launched, node.private_ip)
    attached(region, node.volumes["/dev/sdf"], launched, "/dev/sdf")
    assert real.device_path(launched, "/dev/sdf") == "/dev/nvme1n1"


def test_a_new_interface_with_the_same_address_has_another_mac_and_is_reached(
    region: Region, real: DataPlane, node: Node
) -> None:
    other = region.launch_node("two", real.node_ip(1))
    assert _reached(real, other.instance_id, node, node.private_ip)
    mac, subnet, first = _mac(real, node.instance_id), subnet_id(region, node), primary_eni(region, node)
    terminated(region, node.instance_id)
    assert eventually(lambda: first not in region.ec2.backend.enis)
    launched = a_launch(region, SubnetId=subnet, PrivateIpAddress=node.private_ip)["InstanceId"]
    becomes(region, launched, "running")
    assert _mac(real, launched) != mac
    assert _reached(real, other.instance_id, launched, node.private_ip)


def test_user_data_run_inside_the_node_and_its_files_survive_a_stop(
    region: Region, real: DataPlane, node: Node
) -> None:
    script = "#!/bin/sh\nhostname > /opt/aerospike/told\nip -4 -o address show eth0 >> /opt/aerospike/told\n"
    launched = a_launch(region, SubnetId=subnet_id(region, node), UserData=script)["InstanceId"]
    becomes(region, launched, "running")
    told = real.host_dir(launched) / "told"
    address = instance(region, launched)["PrivateIpAddress"]
    assert eventually(lambda: told.exists() and address in told.read_text())
    assert told.read_text().startswith("ip-10-77-")
    ec2(region).stop_instances(InstanceIds=[launched])
    becomes(region, launched, "stopped")
    ec2(region).start_instances(InstanceIds=[launched])
    becomes(region, launched, "running")
    assert address in (real.host_dir(launched) / "told").read_text()


def test_a_mounted_volume_in_use_is_busy_until_it_is_forced(region: Region, real: DataPlane, node: Node) -> None:
    real.format_and_mount(node.instance_id, "/dev/sdf", "/data")
    holder = real.spawn(node.instance_id, ["sh", "-c", "cd /data && echo kept > f && sync && exec sleep 60"])
    data = node.volumes["/dev/sdf"]
    assert eventually(lambda: _out(real, node.instance_id, "cat /data/f") == "kept")
    ec2(region).detach_volume(VolumeId=data)
    assert eventually(lambda: volume(region, data)["Attachments"][0]["State"] == "busy")
    ec2(region).detach_volume(VolumeId=data, Force=True)
    assert eventually(lambda: volume(region, data)["State"] == "available")
    holder.kill()
    holder.wait()
    attached(region, data, node.instance_id, "/dev/sdg")
    real.format_and_mount(node.instance_id, "/dev/sdg", "/again", format=False)
    assert _out(real, node.instance_id, "cat /again/f") == "kept"


def test_a_mounted_volume_is_detached_once_the_node_itself_has_unmounted_it_and_comes_back_without_a_mount(
    region: Region, real: DataPlane, node: Node
) -> None:
    data = node.volumes["/dev/sdf"]
    real.format_and_mount(node.instance_id, "/dev/sdf", "/data")
    assert _out(real, node.instance_id, "echo kept > /data/f; sync -f /data") == ""
    ec2(region).detach_volume(VolumeId=data)
    assert eventually(lambda: volume(region, data)["Attachments"][0]["State"] == "busy")
    assert _out(real, node.instance_id, "cat /data/f && umount /data && ! mountpoint -q /data") == "kept"
    assert eventually(lambda: volume(region, data)["State"] == "available")
    attached(region, data, node.instance_id, "/dev/sdf")
    assert _out(real, node.instance_id, "mount /dev/nvme1n1 /data && cat /data/f") == "kept"
    ec2(region).stop_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "stopped")
    ec2(region).start_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "running")
    assert _out(real, node.instance_id, "mountpoint -q /data || ls /data") == ""
    mount = "mount -t ext4 -o rw,noatime /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol* /data && cat /data/f"
    assert _out(real, node.instance_id, mount.replace("vol*", data.replace("-", ""))) == "kept"


def test_an_instance_store_is_lost_with_the_power_and_an_image_keeps_the_root(region: Region, real: DataPlane) -> None:
    region.mirror.instance_stores["i4i.large"] = (1,)
    node = region.launch_node("n", real.node_ip(3), instance_type="i4i.large")
    a_mark = "printf mark | dd of=/dev/nvme1n1 conv=notrunc 2>/dev/null; head -c 4 /dev/nvme1n1"
    assert _out(real, node.instance_id, a_mark) == "mark"
    (real.host_dir(node.instance_id) / "asd").write_text("8.1.2")
    _out(real, node.instance_id, "sync")
    image = ec2(region).create_image(InstanceId=node.instance_id, Name="kept", NoReboot=True)["ImageId"]
    assert eventually(lambda: ec2(region).describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
    region.power_loss(node.instance_id)
    assert state(region, node.instance_id) == "running"
    ec2(region).stop_instances(InstanceIds=[node.instance_id], Force=True)
    becomes(region, node.instance_id, "stopped")
    ec2(region).start_instances(InstanceIds=[node.instance_id])
    becomes(region, node.instance_id, "running")
    assert _out(real, node.instance_id, "head -c 4 /dev/nvme1n1 | tr -d '\\0'") == ""
    mapping = ec2(region).describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]["Ebs"]
    assert eventually(lambda: region.snapshots.state(mapping["SnapshotId"]) == "completed")
    launched = a_launch(region, ImageId=image, SubnetId=subnet_id(region, node))["InstanceId"]
    becomes(region, launched, "running")
    assert (real.host_dir(launched) / "asd").read_text() == "8.1.2"
    assert a_volume(region)
