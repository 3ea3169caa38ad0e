"""Verb ``health``: what the alarms watch, asked of the server in one go."""

from typing import Any, Dict

from aerokeep_node.asd import Asd, describe_asd
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, refuse
from aerokeep_node.namespaces import list_namespaces, read_config
from aerokeep_node.run_directory import live_run
from aerokeep_node.tree import Tree


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Look only; nothing is changed."""
    del parameters
    asd = Asd(tree)
    connection = asd.connect()
    try:
        namespaces = [_describe(name, connection) for name in list_namespaces(connection)]
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()
    return {"asd": describe_asd(asd), "namespaces": namespaces, "write_stop": live_run(tree)}


def _describe(name: str, connection: InfoConnection) -> Dict[str, Any]:
    statistics = connection.ask_pairs("namespace/" + name)

    def number(key: str) -> int:
        value = statistics.get(key, "")
        return int(value) if value.isdigit() else 0

    remaining = number("migrate_tx_partitions_remaining") + number("migrate_rx_partitions_remaining")
    return {
        "name": name,
        "stop_writes": statistics.get("stop_writes") == "true",
        "reject_non_xdr_writes": read_config(connection, name).guarded,
        "objects": number("objects"),
        "unavailable_partitions": number("unavailable_partitions"),
        "dead_partitions": number("dead_partitions"),
        "migrate_partitions_remaining": remaining,
    }
