"""What the Lambdas order of a host is what the host program understands."""

import json

from aerokeep.aws.vault import Points
from aerokeep.model.inventory import InventoryDevice
from aerokeep.model.replacement import DataChoice
from aerokeep.steps.replace_node.stage_node import node_spec
from aerokeep_node.stage_order import parse_order

from tests.restore_builders import DEVICES, a_device, a_node
from tests.unit.steps.stubbed import a_stub

STORE = InventoryDevice(namespace="cache", path="/dev/nvme8n1", role="device", index=0)
"""On instance store without a shadow: a new instance has a blank one."""


def test_a_namespace_that_begins_blank_beside_one_that_is_reattached_is_one_that_the_host_takes() -> None:
    client, _ = a_stub("s3")
    node = a_node(1, devices=(a_device(1, 0), a_device(1, 1), STORE))
    placed = {device: f"vol-{number:017x}" for number, device in enumerate(DEVICES, start=1)}
    choice = DataChoice(data="reattach", emptied=("cache",), reason="its own volumes")
    spec = node_spec(node, placed, choice, Points(client, "vault"), explicit_id=False)
    told = json.loads(spec.model_dump_json())
    told["conf"] = {"action": "keep", "files": []}  # of this node the vault holds none
    order = parse_order(told)
    assert {(wanted.namespace, wanted.blank) for wanted in order.sets} == {("raw", False), ("cache", True)}
    assert list(order.cold_start_empty) == ["cache"]
