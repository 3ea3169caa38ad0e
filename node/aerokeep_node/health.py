"""Verb ``health``: what the alarms and the gates of a restored cluster watch, asked of the server in one go."""

import json
import re
from typing import Any, Dict, List

from aerokeep_node.asd import Asd, cluster_state, describe_asd
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, pairs_of, refuse
from aerokeep_node.namespaces import count_of, list_namespaces, read_config
from aerokeep_node.run_directory import live_run
from aerokeep_node.tree import Tree

LONGEST_LIST_CHARACTERS = 6000
"""So much of the reply a list may take; SSM carries 24,000 characters of it all."""
_READ_ERRORS = re.compile(r"^storage-engine\.(?:device|file|stripe)\[\d+\]\.(?:shadow_)?read_errors$")
_NO_SET = "NULL"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Look only; nothing is changed."""
    del parameters
    asd = Asd(tree)
    connection = asd.connect()
    try:
        cluster = _describe_cluster(connection)
        found = {
            "node_id": connection.ask("node"),
            "peers": cluster.pop("peers"),
            "uptime_s": cluster.pop("uptime_s"),
            "cluster": cluster,
            "namespaces": [_describe(name, connection) for name in list_namespaces(connection)],
            "sindexes": _fitting(_sindexes(connection)),
            "udfs": _fitting(_udfs(connection)),
        }
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()
    return dict(found, asd=describe_asd(asd), write_stop=live_run(tree))


def _describe_cluster(connection: InfoConnection) -> Dict[str, Any]:
    state = cluster_state(connection)
    statistics = connection.ask_pairs("statistics")
    duplicates = statistics.get("cluster_duplicate_nodes", "null")
    stable = "cluster-stable:size={};ignore-migrations=false".format(state["size"])
    return dict(
        state,
        integrity=statistics.get("cluster_integrity") == "true",
        is_member=statistics.get("cluster_is_member") == "true",
        duplicate_nodes=[] if duplicates in ("", "null") else duplicates.split(","),
        principal=statistics.get("cluster_principal", ""),
        clock_skew_ms=count_of(statistics, "cluster_clock_skew_ms") or 0,
        migrate_allowed=statistics.get("migrate_allowed") == "true",
        stable=_reply(connection, stable),
    )


def _reply(connection: InfoConnection, command: str) -> str:
    """Ask for what an error is an answer to, too."""
    try:
        return connection.ask(command)
    except InfoError as error:
        return str(error)


def _describe(name: str, connection: InfoConnection) -> Dict[str, Any]:
    statistics = connection.ask_pairs("namespace/" + name)

    def number(key: str) -> int:
        return count_of(statistics, key) or 0

    remaining = number("migrate_tx_partitions_remaining") + number("migrate_rx_partitions_remaining")
    available = count_of(statistics, "data_avail_pct")
    return {
        "name": name,
        "stop_writes": statistics.get("stop_writes") == "true",
        "clock_skew_stop_writes": statistics.get("clock_skew_stop_writes") == "true",
        "reject_non_xdr_writes": read_config(connection, name).guarded,
        "objects": number("objects"),
        "master_objects": number("master_objects"),
        "prole_objects": number("prole_objects"),
        "tombstones": number("tombstones"),
        "unreplicated_records": number("unreplicated_records"),
        "unavailable_partitions": number("unavailable_partitions"),
        "dead_partitions": number("dead_partitions"),
        "migrate_partitions_remaining": remaining,
        "read_errors": sum(number(key) for key in statistics if _READ_ERRORS.match(key)),
        "truncate_lut": number("truncate_lut"),
        "evict_void_time": number("evict_void_time"),
        "expired_objects": number("expired_objects"),
        "evicted_objects": number("evicted_objects"),
        "non_expirable_objects": count_of(statistics, "non_expirable_objects"),
        # Its name before server 7.0.
        "data_avail_pct": count_of(statistics, "device_available_pct") if available is None else available,
    }


def _sindexes(connection: InfoConnection) -> List[Any]:
    found = []
    for entry in _entries(_reply(connection, "sindex-list:")):
        fields = dict(pairs_of(entry, ":"))
        name = fields.get("indexname")
        if name:
            of_set = fields.get("set", _NO_SET)
            found.append(
                {"namespace": fields.get("ns", ""), "set": None if of_set == _NO_SET else of_set, "name": name}
            )
    return sorted(found, key=lambda one: (one["namespace"], one["name"]))


def _udfs(connection: InfoConnection) -> List[Any]:
    names = (dict(pairs_of(entry, ",")).get("filename") for entry in _entries(_reply(connection, "udf-list")))
    return sorted(name for name in names if name)


def _entries(reply: str) -> List[str]:
    return [entry for entry in reply.split(";") if entry]


def _fitting(entries: List[Any]) -> List[Any]:
    """Keep as many as fit; a list that was cut differs from every other one, which is safer than no reply at all."""
    kept = list(entries)
    while len(json.dumps(kept)) > LONGEST_LIST_CHARACTERS:
        del kept[-max(1, len(kept) // 10) :]
    return kept
