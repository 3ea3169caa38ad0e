"""What a relaunch needs of a node, what must be kept for it, and what would be lost all the same."""

from datetime import timedelta
from typing import Any

import pytest
from aerokeep.model.files import NodeFiles
from aerokeep.model.inventory import Inventory, NodeInventory
from aerokeep.model.machine import BlockDevice, Image, Machine, NetworkAttachment
from aerokeep.model.survey import Survey
from aerokeep.model.volume import Volume
from aerokeep.rules.inventory import (
    KEPT_WITHOUT_ANSWER,
    ImageChoice,
    NodeView,
    carried_over,
    choose_image,
    node_inventory,
    volumes_to_keep,
    with_conf,
)

from tests.builders import DATA_MOUNT, NOON, a_namespace, a_node_inventory, a_path, a_survey, an_inventory

OURS = ImageChoice(image_id="ami-1", holds_build=True)
CONF = a_node_inventory().conf


def a_primary(**changes: Any) -> NetworkAttachment:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "interface_id": "eni-1",
        "attachment_id": "eni-attach-1",
        "device_index": 0,
        "delete_on_termination": False,
        "private_ip": "10.77.0.11",
        "mac_address": "02:00:00:00:00:01",
        "subnet_id": "subnet-1",
        "groups": ("sg-1",),
    }
    return NetworkAttachment(**{**fields, **changes})


def a_view(survey: Survey | None = None, *, doomed: tuple[str, ...] = (), **changes: Any) -> NodeView:  # noqa: ANN401
    """A node with a boot volume and one with data; ``doomed`` devices would be deleted with it."""
    devices = {"/dev/xvda": "vol-root", "/dev/sdf": "vol-a"}
    machine = {
        "instance_id": "i-1",
        "state": "running",
        "zone": "eu-central-1a",
        "instance_type": "i4i.large",
        "image_id": "ami-1",
        "root_device": "/dev/xvda",
        "block_devices": tuple(
            BlockDevice(device=device, volume_id=volume, delete_on_termination=device in doomed)
            for device, volume in devices.items()
        ),
        "interfaces": (a_primary(),),
    }
    return NodeView(
        survey=survey or a_survey(),
        machine=Machine(**{**machine, **changes}),
        launch={"ImageId": "ami-1"},
        volumes={
            volume_id: Volume(
                volume_id=volume_id,
                state="in-use",
                zone="eu-central-1a",
                size_gib=4,
                volume_type="gp3",
                iops=3000,
                throughput_mibps=125,
                encrypted=True,
                tags={"mine": "yes"},
            )
            for volume_id in devices.values()
        },
    )


def noted(view: NodeView, *, image: ImageChoice = OURS, **changes: Any) -> NodeInventory:  # noqa: ANN401
    return node_inventory(view, **{"image": image, "conf": CONF, "now": NOON, **changes})


def test_a_node_that_is_well_has_all_that_a_relaunch_needs() -> None:
    path = a_path(fs_type="ext4", mount_options="rw,noatime", size_bytes=1024)
    node = noted(a_view(a_survey(namespaces=[a_namespace(paths=(path,), rack_id=7)])))
    assert node.unprotected == ()
    assert (node.node_id, node.private_ip, node.mac_address) == ("A1", "10.77.0.11", "02:00:00:00:00:01")
    assert (node.rack_ids, node.replication_factors) == ({"test": 7}, {"test": 2})
    (data,) = node.data_volumes
    assert (data.volume_id, data.device, data.namespaces, data.iops) == ("vol-a", "/dev/sdf", ("test",), 3000)
    assert data.mount is not None
    assert (data.mount.point, data.mount.fs_type, data.mount.options) == (DATA_MOUNT, "ext4", "rw,noatime")
    assert [(d.path, d.volume_id, d.size_bytes) for d in node.devices] == [(path.path, "vol-a", 1024)]


def test_data_volumes_and_whatever_holds_data_are_kept_and_an_empty_boot_volume_goes() -> None:
    every = ("/dev/xvda", "/dev/sdf")
    assert [device.device for device in volumes_to_keep(a_view(doomed=every))] == ["/dev/sdf"]
    on_root = a_survey(namespaces=[a_namespace(paths=(a_path(volume_id="vol-root"),))])
    assert [device.device for device in volumes_to_keep(a_view(on_root, doomed=every))] == list(every)
    assert volumes_to_keep(a_view(doomed=())) == ()


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (a_view(doomed=("/dev/sdf",)), "not_kept"),
        (a_view(interfaces=(a_primary(delete_on_termination=True),)), "interface_not_kept"),
        (a_view(interfaces=()), "interface_not_kept"),
        (a_view(interfaces=(a_primary(), a_primary(interface_id="eni-2", device_index=1))), "second_interface"),
        (a_view(a_survey(namespaces=[a_namespace(persisted=False, paths=())])), "memory_only"),
        (a_view(a_survey(namespaces=[a_namespace(paths=(a_path(volume_id="vol-root"),))])), "data_on_root"),
        (a_view(a_survey(namespaces=[a_namespace(paths=(a_path(volume_id=None),))])), "no_volume"),
    ],
)
def test_what_would_be_lost_is_told(view: NodeView, code: str) -> None:
    assert [reason.partition(":")[0] for reason in noted(view).unprotected] == [code]


def test_what_could_not_be_done_and_what_is_not_known_is_told_too() -> None:
    unproven = ImageChoice(image_id="ami-9", holds_build=False)
    told = noted(a_view(), image=unproven, conf=(), failures=["not_kept: aws_Unavailable: …"]).unprotected
    assert [reason.partition(":")[0] for reason in told] == ["not_kept", "no_image", "no_conf"]


def an_image(image_id: str, state: str = "available", **tags: str) -> Image:
    return Image(image_id=image_id, state=state, tags={f"aerokeep:{key}": value for key, value in tags.items()})


@pytest.mark.parametrize(
    ("images", "chosen"),
    [
        ([an_image("ami-own", build="8.1")], ("ami-own", True)),
        ([an_image("ami-own", build="8.0"), an_image("ami-2", node="A1", build="8.1")], ("ami-2", True)),
        ([an_image("ami-2", node="A1", build="8.1", state="pending")], ("ami-2", True)),
        (
            [an_image("ami-2", state="pending", node="A1", build="8.1"), an_image("ami-3", node="A1", build="8.1")],
            ("ami-3", True),
        ),
        ([an_image("ami-own")], ("ami-own", False)),
        ([an_image("ami-own", build="8.1", state="deregistered")], ("ami-own", False)),
        ([an_image("ami-2", node="A2", build="8.1")], ("ami-own", False)),
        ([an_image("ami-2", node="A1", build="8.1", state="failed")], ("ami-own", False)),
        ([], ("ami-own", False)),
    ],
)
def test_only_an_image_that_is_known_to_hold_the_build_is_booted_from(
    images: list[Image], chosen: tuple[str, bool]
) -> None:
    choice = choose_image("A1", "8.1", own="ami-own", existing={image.image_id: image for image in images})
    assert (choice.image_id, choice.holds_build) == chosen


def test_a_node_that_does_not_answer_keeps_its_entry_for_a_while_and_one_that_is_to_be_forgotten_does_not() -> None:
    former = an_inventory()

    def kept(without: set[str], later: timedelta) -> list[str]:
        return [node.node_id for node in carried_over(former, without=without, now=NOON + later)]

    assert kept({"A1", "A2"}, timedelta(hours=1)) == ["A3"]
    assert kept({"A1", "A2", "A3"}, timedelta(hours=1)) == []
    assert kept({"A1"}, KEPT_WITHOUT_ANSWER) == []
    assert list(carried_over(None, without=(), now=NOON)) == []


def test_its_time_without_an_answer_does_not_begin_anew_each_hour() -> None:
    inventory, now = an_inventory(), NOON
    for _ in range(3):
        now += KEPT_WITHOUT_ANSWER / 2
        inventory = Inventory(
            cluster="demo", run_id="r", taken_at=now, nodes=tuple(carried_over(inventory, without=(), now=now))
        )
    assert inventory.nodes == ()


def test_a_points_own_conf_files_serve_for_a_relaunch() -> None:
    nodes = tuple(a_node_inventory(n, conf=(), unprotected=("no_conf: none",)) for n in (1, 2))
    bare = an_inventory().model_copy(update={"nodes": nodes})
    files = [
        file.model_copy(update={"key": f"clusters/demo/points/p/nodes/A1/conf/{n}"}) for n in "ab" for file in CONF
    ]
    smd = CONF[0].model_copy(update={"key": "clusters/demo/points/p/nodes/A1/smd/sindex.smd"})
    told = with_conf(bare, [NodeFiles(node_id="A1", files=(*files, smd))])
    assert [(node.conf, node.unprotected) for node in told.nodes] == [
        (tuple(files), ()),
        ((), ("no_conf: none",)),
    ]


def test_a_node_is_found_by_its_id_in_either_case_by_its_address_and_by_its_instance() -> None:
    inventory = an_inventory()
    for name in ("A2", "a2", "10.77.0.12"):
        found = inventory.node(name)
        assert found is not None
        assert found.node_id == "A2"
    assert inventory.node("10.77.0.99") is None
    assert inventory.of_instance("i-3") == inventory.nodes[2]
