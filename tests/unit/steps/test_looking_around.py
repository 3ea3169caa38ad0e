"""Tools are led to where servers answer: at the address and port that their hosts tell."""

from typing import Any

import pytest
from aerokeep.model.health import NodeHealth
from aerokeep.model.instance import Instance
from aerokeep.model.transfer_order import Server
from aerokeep.steps.shared.looking_around import Answers, Around

NODE = Instance(instance_id="i-1", state="running", private_ip="10.0.0.7", root_device="/dev/sda1", volumes={}, spec={})


def answers(**asd: Any) -> Answers:  # noqa: ANN401 - any field of what a host tells
    health = NodeHealth.model_validate({"node_id": "A1", "asd": {"running": True, **asd}})
    around = Around(nodes=(NODE,), others=(), deaf=(), asked={})
    return Answers(around=around, healths={"i-1": health}, facts={}, surveys={}, unheard={})


@pytest.mark.parametrize(
    ("asd", "server"),
    [
        ({"address": "127.0.0.1", "port": 3000}, Server(address="10.0.0.7", port=3000)),
        ({"address": "127.0.0.1", "port": 4100}, Server(address="10.0.0.7", port=4100)),
        ({"address": "10.9.0.7", "port": 3000}, Server(address="10.9.0.7", port=3000)),
    ],
)
def test_a_server_is_asked_at_the_port_and_address_of_its_conf(asd: dict[str, Any], server: Server) -> None:
    told = answers(**asd)
    assert told.servers == {"i-1": server}
    assert told.server == server


def test_a_node_that_does_not_answer_has_no_server() -> None:
    silent = answers().model_copy(update={"healths": {}})
    assert silent.servers == {}
