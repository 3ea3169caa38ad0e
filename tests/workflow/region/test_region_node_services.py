"""An instance with a database lives like one in EC2: through boots, images, masks, power losses and relaunches."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sandbox.cluster import Build, Cluster, Member, launch
from sandbox.database import UNIT, Server
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import TRUE_CLOCK, DataPlane
from sandbox.dataplane.probe import probe
from sandbox.region import Pace, Region
from tests.workflow.region.ec2_shapes import (
    a_launch,
    attached,
    becomes,
    ec2,
    eni,
    instance,
    keep_eni,
    primary_eni,
    terminated,
)
from tests.workflow.region.shapes import eventually

MASK = """\
#cloud-boothook
#!/bin/sh
systemctl mask aerospike
"""


@pytest.fixture(params=[pytest.param("namespaces", marks=pytest.mark.root), "directory"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataPlane]:
    if request.param == "namespaces" and not probe().suffices:
        pytest.skip(f"this machine lacks {'; '.join(probe().missing)}; run as root with them installed")
    made = choose(tmp_path, mode=request.param)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def region(real: DataPlane, layer: Path) -> Iterator[Region]:
    made = Region(real, layer=layer, pace=Pace(stopping_s=0.05))
    try:
        made.start()
        yield made
        assert made.ec2.clockwork.failures == []
    finally:
        made.stop()


@pytest.fixture
def cluster(region: Region, real: DataPlane) -> Iterator[Cluster]:
    """One node whose namespaces are on raw devices, with a set of 50 records."""
    build = Build(test_on_device=True, security_group="asd", explicit_ids=False)
    made = launch(region, real, tag=("aerospike", "one"), clocks=(TRUE_CLOCK,), build=build)
    made.put("test", "kept", 50)
    yield made
    made.find_again()
    made.stop()


def only(cluster: Cluster) -> Member:
    [member] = cluster.members.values()
    return member


def shown(cluster: Cluster, *names: str) -> list[str]:
    words = only(cluster).server.systemctl("show", "-p", ",".join(names), UNIT)[1]
    found = dict(line.partition("=")[::2] for line in words.splitlines())
    return [found[name] for name in names]


def stopped(region: Region, cluster: Cluster) -> None:
    ec2(region).stop_instances(InstanceIds=[only(cluster).node.instance_id])
    becomes(region, only(cluster).node.instance_id, "stopped")


def online(region: Region, instance_id: str) -> bool:
    return bool(region.instance_information(instance_id)["PingStatus"] == "Online")


def started(region: Region, cluster: Cluster) -> None:
    instance_id = only(cluster).node.instance_id
    ec2(region).start_instances(InstanceIds=[instance_id])
    becomes(region, instance_id, "running")
    assert eventually(lambda: online(region, instance_id))


def serves(cluster: Cluster) -> None:
    cluster.wait_settled()
    assert cluster.count("test", "kept", 50) == 50


def test_a_stopped_instance_shuts_its_server_down_cleanly_and_starts_it_again_at_boot(
    region: Region, cluster: Cluster
) -> None:
    stopped(region, cluster)
    started(region, cluster)
    serves(cluster)
    text = only(cluster).server.log.read_text()
    assert "finished clean shutdown" in text
    assert "prior shutdown not clean" not in text


def test_a_power_loss_is_no_clean_shutdown_and_the_data_are_back_after_the_next_boot(
    region: Region, cluster: Cluster
) -> None:
    assert eventually(lambda: _flushed(cluster))
    region.power_loss(only(cluster).node.instance_id)
    ec2(region).stop_instances(InstanceIds=[only(cluster).node.instance_id], Force=True)
    becomes(region, only(cluster).node.instance_id, "stopped")
    started(region, cluster)
    serves(cluster)
    assert "prior shutdown not clean" in only(cluster).server.log.read_text()


def _flushed(cluster: Cluster) -> bool:
    found = dict(p.partition("=")[::2] for p in cluster.ask(only(cluster).node_id, "namespace/test").split(";"))
    return int(found["storage-engine.device[0].partial_writes"]) + int(found["storage-engine.device[0].writes"]) > 0


def test_a_mask_outlives_a_stop_and_keeps_the_server_from_starting(region: Region, cluster: Cluster) -> None:
    only(cluster).server.systemctl("mask", UNIT)
    stopped(region, cluster)
    started(region, cluster)
    assert shown(cluster, "ActiveState", "UnitFileState", "MainPID") == ["inactive", "masked", "0"]
    with pytest.raises(RuntimeError, match="masked"):
        only(cluster).server.start()
    only(cluster).server.systemctl("unmask", UNIT)
    only(cluster).server.start()
    serves(cluster)


def test_a_drop_in_names_another_conf_and_outlives_a_stop(region: Region, real: DataPlane, cluster: Cluster) -> None:
    etc = real.etc_dir(only(cluster).node.instance_id)
    conf = (etc / "aerospike/aerospike.conf").read_text()
    guarded = conf.replace("replication-factor 2", "replication-factor 2\n    reject-non-xdr-writes true")
    (etc / "aerospike/first-start.conf").write_text(guarded)
    folder = etc / f"systemd/system/{UNIT}.service.d"
    folder.mkdir(parents=True)
    (folder / "first-start.conf").write_text(
        '[Service]\nEnvironment="ASD_CONFIG_FILE=/etc/aerospike/first-start.conf" ASD_OPTIONS=--cold-start\n'
    )
    stopped(region, cluster)
    started(region, cluster)
    cluster.wait_settled()
    with pytest.raises(RuntimeError, match="records failed"):
        cluster.put("test", "more", 1, wait_s=0.5)
    assert "reject-non-xdr-writes=true" in cluster.ask(only(cluster).node_id, "get-config:context=namespace;id=test")
    assert cluster.count("test", "kept", 50) == 50


def test_an_instance_from_the_plain_image_has_no_conf_and_its_unit_fails_harmlessly(
    region: Region, real: DataPlane
) -> None:
    node = region.launch_node("plain", real.node_ip(5))
    server = Server(real, node.instance_id)
    assert eventually(lambda: server.systemctl("is-failed", UNIT)[0] == 0)
    assert server.systemctl("is-enabled", UNIT) == (0, "enabled\n")


def test_a_relaunch_from_an_image_has_address_mac_conf_and_node_id_and_stays_masked_until_its_volumes_are_there(
    region: Region, real: DataPlane, cluster: Cluster
) -> None:
    lost, node_id = only(cluster).node, only(cluster).node_id
    assert eventually(lambda: _flushed(cluster))
    first, groups = primary_eni(region, lost), instance(region, lost.instance_id)["SecurityGroups"]
    mac, conf = eni(region, first)["MacAddress"], _conf(real, lost.instance_id)
    image = _an_image_of_the_root(region, lost.instance_id, lost.volumes)
    keep_eni(region, first)
    region.power_loss(lost.instance_id)
    terminated(region, lost.instance_id)
    assert eventually(lambda: eni(region, first)["Status"] == "available")
    kept = [{"DeviceIndex": 0, "NetworkInterfaceId": first}]
    made = a_launch(region, ImageId=image, NetworkInterfaces=kept, UserData=MASK)["InstanceId"]
    becomes(region, made, "running")
    assert eventually(lambda: online(region, made))
    cluster.find_again()
    assert only(cluster).node.private_ip == lost.private_ip
    assert eni(region, first)["MacAddress"] == mac
    assert instance(region, made)["SecurityGroups"] == groups
    assert _conf(real, made) == conf
    assert shown(cluster, "ActiveState", "UnitFileState", "ExecMainPID") == ["inactive", "masked", "0"]
    for device, volume_id in lost.volumes.items():
        attached(region, volume_id, made, device)
    only(cluster).server.systemctl("unmask", UNIT)
    only(cluster).server.start()
    serves(cluster)
    assert cluster.ask(node_id, "node") == node_id


def _conf(plane: DataPlane, instance_id: str) -> str:
    return (plane.etc_dir(instance_id) / "aerospike/aerospike.conf").read_text()


def _an_image_of_the_root(region: Region, instance_id: str, data: Iterable[str]) -> str:
    left_out = [{"DeviceName": device, "NoDevice": ""} for device in data]
    image = str(
        ec2(region).create_image(InstanceId=instance_id, Name="kept", NoReboot=True, BlockDeviceMappings=left_out)[
            "ImageId"
        ]
    )
    [mapping] = ec2(region).describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    assert eventually(lambda: region.snapshots.state(mapping["Ebs"]["SnapshotId"]) == "completed")
    assert eventually(lambda: ec2(region).describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
    return image
