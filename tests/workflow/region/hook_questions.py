"""Questions that tell whether a hook is needed, and the node that they are asked about."""

import itertools
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sandbox.region import Node, Region
from tests.workflow.region.ec2_shapes import a_launch, ec2, subnet_id
from tests.workflow.region.shapes import eventually

Right = Callable[[Region], bool]
IP = "10.77.0.77"
HOSTS = itertools.count(10)


def node_of(region: Region) -> Node:
    """The one node of a region, launched when first asked for."""
    found = [i for i in region.ec2.all_instances() if i.state == "running"]
    if not found:
        return region.launch_node("n", IP)
    node_id = found[0].id
    return Node(node_id, IP, found[0].block_device_mapping["/dev/sda1"].volume_id, {})


def code_of(region: Region, action: str, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """The code that a call is refused with, or nothing."""
    try:
        getattr(ec2(region), action)(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def refuses(code: str, action: str, request: Callable[[Region, Node], dict[str, Any]]) -> Right:
    """Whether the call is refused with this code."""

    def right(region: Region) -> bool:
        return code_of(region, action, **request(region, node_of(region))) == code

    return right


def finds(action: str, key: str, name: str, value: str) -> Right:
    """Whether a filter finds something."""

    def right(region: Region) -> bool:
        node_of(region)
        return bool(getattr(ec2(region), action)(Filters=[{"Name": name, "Values": [value]}])[key])

    return right


def gone_of(region: Region) -> str:
    """An instance that has been terminated, past the API."""
    made = region.ec2.instance(a_launch(region, SubnetId=subnet_id(region, node_of(region)))["InstanceId"])
    region.ec2.instances.terminate(made)
    eventually(lambda: bool(made.state == "terminated"))
    return str(made.id)
