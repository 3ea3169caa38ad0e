"""A node without an id in its conf takes the one that asd would make of its interface."""

from sandbox.standin.conf import ServerConf
from sandbox.standin.identity import node_id_of


def a_conf(*, address: str = "127.77.0.10", **service: str) -> ServerConf:
    names = {name.replace("_", "-"): value for name, value in service.items()}
    return ServerConf(names, {"service.address": address}, (), (), log_to_console=True, namespaces=())


def test_an_id_of_the_conf_counts_in_upper_case() -> None:
    assert node_id_of(a_conf(node_id="a1")) == "A1"
    assert node_id_of(a_conf(node_id="0xBB9")) == "BB9"


def test_without_one_the_fabric_port_stands_before_the_mac_in_reverse() -> None:
    # 0x0BB9 is port 3001; the loopback address stands for a MAC of 02:77:7f:4d:00:0a.
    assert node_id_of(a_conf()) == "BB90A004D7F7702"
    assert node_id_of(a_conf()) == node_id_of(a_conf())
    assert node_id_of(a_conf(address="127.77.0.11")) == "BB90B004D7F7702"
