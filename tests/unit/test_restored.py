"""After a restore the inventory names what the nodes run on now: the former volumes are never attached again."""

from aerokeep.model.inventory import Inventory
from aerokeep.model.restore import NewVolumes, Placed, Relaunched
from aerokeep.rules.restored import inventory_after

from tests.builders import NOON, at
from tests.restore_builders import DEVICES, NUMBERS, a_node, volume_id

RUN = "demo-restore-20261123T130000Z"
BEFORE = Inventory(cluster="demo", run_id="demo-20261123T120000Z", taken_at=NOON, nodes=tuple(map(a_node, NUMBERS)))
MADE = NewVolumes(
    volumes=tuple(
        Placed(node_id=f"A{number}", device=device, volume_id=f"vol-new-{number}{device[-1]}")
        for number in NUMBERS
        for device in DEVICES
    )
)
RELAUNCHED = Relaunched(instances={"A2": "i-new"}, interfaces={"A2": "eni-new"})


def after() -> Inventory:
    return inventory_after(BEFORE, made=MADE, relaunched=RELAUNCHED, run_id=RUN, now=at(3600))


def test_every_saved_volume_and_device_is_the_new_one() -> None:
    node = after().nodes[0]
    assert [volume.volume_id for volume in node.volumes] == ["vol-new-1g", "vol-new-1h"]
    assert [device.volume_id for device in node.devices] == ["vol-new-1g", "vol-new-1h"]
    assert not any(volume.delete_on_termination for volume in node.volumes)


def test_no_former_volume_is_left() -> None:
    former = {volume_id(number, device) for number in NUMBERS for device in DEVICES}
    assert former.isdisjoint(after().model_dump_json().split('"'))


def test_a_relaunched_node_has_its_new_instance_and_interface_and_the_others_keep_theirs() -> None:
    nodes = {node.node_id: (node.instance_id, node.network_interface_id) for node in after().nodes}
    assert nodes == {"A1": ("i-1", "eni-1"), "A2": ("i-new", "eni-new"), "A3": ("i-3", "eni-3")}


def test_headers_are_forgotten_since_every_start_writes_another_signature() -> None:
    assert {device.header for node in after().nodes for device in node.devices} == {None}


def test_what_is_not_in_the_point_stays() -> None:
    half = NewVolumes(volumes=tuple(placed for placed in MADE.volumes if placed.device == DEVICES[0]))
    node = inventory_after(BEFORE, made=half, relaunched=RELAUNCHED, run_id=RUN, now=at(3600)).nodes[0]
    assert [volume.volume_id for volume in node.volumes] == ["vol-new-1g", volume_id(1, DEVICES[1])]


def test_it_says_which_run_wrote_it_and_when() -> None:
    assert (after().run_id, after().taken_at) == (RUN, at(3600))
