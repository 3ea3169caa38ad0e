"""Info commands that only look: every reply as recorded from 8.1.2, with this node's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.standin import info_changes, statistics
from sandbox.standin.partitions import bitmaps
from sandbox.standin.record import set_of, version_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.standin.node import Node

BUILD = "8.1.2.0"
EDITION = "Aerospike Community Edition"
_FEATURES = (
    "batch-any;batch-index;blob-bits;cdt-index;cdt-list;cdt-map;cluster-stable;float;geo;sindex-exists;peers;"
    "pipelining;pquery;pscans;query-show;relaxed-sc;replicas;replicas-all;replicas-master;replicas-max;"
    "truncate-namespace;udf"
)
_ENTERPRISE = frozenset({"roster", "roster-set", "racks", "quiesce", "quiesce-undo", "revive"})
UNRECOGNIZED = "ERROR:4:unrecognized command"


def arguments(text: str) -> dict[str, str]:
    """Read ``a=b;c=d``."""
    return {key: value for key, _, value in (part.partition("=") for part in text.split(";") if part)}


def answer(node: Node, command: str) -> str | Awaitable[str]:
    """Answer one command."""
    name, separator, rest = command.partition(":")
    if not separator and "/" in name:
        name, _, rest = name.partition("/")
        reader = _BY_NAME.get(name)
        return reader(node, rest) if reader else UNRECOGNIZED
    if name in _ENTERPRISE:
        return "ERROR:25:enterprise only"
    if name in info_changes.COMMANDS:
        return info_changes.COMMANDS[name](node, arguments(rest))
    if name in _PLAIN:
        return _PLAIN[name](node)
    if name in _WITH_ARGUMENTS:
        return _WITH_ARGUMENTS[name](node, arguments(rest))
    return UNRECOGNIZED


# -- without arguments ---------------------------------------------------------------------------------------------


def _peers(node: Node) -> str:
    peers = sorted(node.membership.peers.values(), key=lambda p: p.node_id)
    members = [p for p in peers if node.migrations.is_member(p.node_id)]
    port = node.membership.me.service[1]
    shown = [f"[{p.node_id},,[{p.service[0]}{'' if p.service[1] == port else f':{p.service[1]}'}]]" for p in members]
    return f"{node.membership.generation},{port},[{','.join(shown)}]"


def _replicas(node: Node) -> str:
    parts = [
        f"{name}:{bitmaps(table, node.node_id, len(table[0]))}"
        for name, table in node.migrations.tables.items()
        if table
    ]
    return ";".join(parts)


def _sindexes(node: Node, namespace: str | None = None) -> str:
    shown = []
    for key, name in node.metadata.smd.modules["sindex"].live().items():
        ns, set_name, bin_name, collection, kind = key.split("|")
        if namespace in (None, ns):
            type_name = {"I": "numeric", "S": "string", "B": "blob", "G": "geo2dsphere"}[kind]
            index_type = next(word for word, letter in info_changes.COLLECTIONS.items() if letter == collection)
            shown.append(
                f"ns={ns}:indexname={name}:set={set_name or 'NULL'}:bin={bin_name}:type={type_name}:"
                f"indextype={index_type}:context=null:exp=null:state=RW"
            )
    return ";".join(shown)


def _udfs(node: Node) -> str:
    modules = node.metadata.smd.modules["UDF"].live()
    return "".join(f"filename={name},hash={info_changes.udf_hash(value)},type=LUA;" for name, value in modules.items())


def _udf(node: Node, args: dict[str, str]) -> str:
    value = node.metadata.smd.modules["UDF"].live().get(args.get("filename", ""))
    return f"type=LUA;content={json.loads(value)['content64']};" if value else "error=not_found"


def _address(node: Node) -> str:
    host, port = node.membership.me.service
    return f"{host}:{port}"


_PLAIN: dict[str, Callable[[Node], str]] = {
    "build": lambda _: BUILD,
    "build_os": lambda _: "debian12",
    "edition": lambda _: EDITION,
    "version": lambda _: f"{EDITION} build {BUILD}",
    "release": lambda _: f"edition={EDITION};version={BUILD};os=debian12;arch=x86_64;sha=stand-in",
    "node": lambda node: node.node_id,
    "name": lambda node: node.node_id,
    "namespaces": lambda node: ";".join(node.namespaces),
    "service": _address,
    "service-clear-std": _address,
    "service-clear-alt": lambda _: "",
    "service-tls-std": lambda _: "",
    "service-tls-alt": lambda _: "",
    "services": lambda node: ";".join(f"{p.service[0]}:{p.service[1]}" for p in node.membership.peers.values()),
    "peers-clear-std": _peers,
    "peers-clear-alt": lambda node: f"{node.membership.generation},{node.membership.me.service[1]},[]",
    "peers-tls-std": lambda node: f"{node.membership.generation},,[]",
    "peers-tls-alt": lambda node: f"{node.membership.generation},,[]",
    "peers-generation": lambda node: str(node.membership.generation),
    "partition-generation": lambda node: str(node.membership.generation if node.migrations.formed else -1),
    "rebalance-generation": lambda node: str(node.membership.generation),
    "replicas": _replicas,
    "cluster-name": lambda node: node.cluster_name,
    "features": lambda _: _FEATURES,
    "status": lambda _: "ok",
    "statistics": statistics.of_node,
    "objects": lambda node: str(sum(ns.object_count() for ns in node.namespaces.values())),
    "udf-list": _udfs,
    "smd-info": lambda node: node.metadata.info(),
    "health-stats": lambda _: "",
    "health-outliers": lambda _: "",
    "best-practices": lambda _: "failed_best_practices=none",
    "user-agent-set": lambda _: "ok",
    "log-message": lambda _: "",
    "physical-devices": lambda _: "ERROR:4:missing 'path'",
    "logs": lambda node: ";".join(f"{i}:{path}" for i, path in enumerate(node.conf.log_files)) or "0:stderr",
    "thread-traces": lambda _: "",
    "truncating": lambda _: "false",
    "sets": lambda node: "".join(_sets(node, name) for name in node.namespaces),
}


# -- name/argument -------------------------------------------------------------------------------------------------


def _namespace(node: Node, name: str) -> str:
    namespace = node.namespaces.get(name)
    return statistics.of_namespace(node, namespace) if namespace else "type=unknown"


def _sets(node: Node, path: str) -> str:
    name, _, wanted = path.partition("/")
    namespace = node.namespaces.get(name)
    if namespace is None:
        return "ns_type=unknown"
    counts: dict[str, tuple[int, int]] = {}
    for blob in namespace.blobs():
        set_name = set_of(blob).decode()
        objects, size = counts.get(set_name, (0, 0))
        counts[set_name] = (objects + 1, size + len(blob))
    sindexes = [key.split("|")[:2] for key in node.metadata.smd.modules["sindex"].live()]
    return "".join(
        f"ns={name}:set={set_name}:objects={objects}:tombstones=0:data_used_bytes={size}:"
        f"truncate_lut={statistics.truncate_lut(node, name, set_name)}:"
        f"sindexes={sindexes.count([name, set_name])}:index_populating=false:truncating=false:"
        "default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:enable-index=false:"
        "stop-writes-count=0:stop-writes-size=0;"
        for set_name, (objects, size) in sorted(counts.items())
        if set_name and wanted in ("", set_name)
    )


def _sindex(node: Node, path: str) -> str:
    name, _, index = path.partition("/")
    if not index:
        return _sindexes(node, name)
    return _sindex_statistics(node, {"namespace": name, "indexname": index})


_BY_NAME: dict[str, Callable[[Node, str], str]] = {
    "namespace": _namespace,
    "sets": _sets,
    "sindex": _sindex,
}


# -- name:arguments ------------------------------------------------------------------------------------------------


def _sindex_statistics(node: Node, args: dict[str, str]) -> str:
    namespace = args.get("namespace") or args.get("ns", "")
    for key, name in node.metadata.smd.modules["sindex"].live().items():
        if name == args.get("indexname") and key.startswith(f"{namespace}|"):
            entries = sum(set_of(b).decode() == key.split("|")[1] for b in node.namespaces[namespace].blobs())
            return (
                f"entries={entries};used_bytes=16777216;entries_per_bval=1;entries_per_rec=1;load_pct=100;"
                "load_time=0;stat_gc_recs=0"
            )
    return "ERROR:201:sindex not found"


def _sindex_exists(node: Node, args: dict[str, str]) -> str:
    return "false" if _sindex_statistics(node, args).startswith("ERROR") else "true"


def _get_config(node: Node, args: dict[str, str]) -> str:
    match args.get("context"):
        case None | "service":
            return node.service_settings.shown()
        case "network":
            return node.network_settings.shown()
        case "namespace":
            namespace = node.namespaces.get(args.get("id") or args.get("namespace", ""))
            return namespace.settings.shown() if namespace else "ERROR:20:namespace not found on node"
        case _:
            return "ERROR:4:unrecognized context"


def _cluster_stable(node: Node, args: dict[str, str]) -> str:
    formed = node.migrations.formed
    if formed is None:
        return "ERROR:7:unstable cluster"
    size, ignore = args.get("size"), args.get("ignore-migrations", "false")
    if size is not None and not size.isdecimal():
        return "ERROR:4:bad size"
    if ignore not in ("true", "false"):
        return "ERROR:4:bad ignore migrations"
    if size is not None and int(size) != len(formed.ids):
        return "ERROR:7:cluster not specified size"
    if ignore == "false" and node.migrations.remaining:
        return "ERROR:7:unstable cluster"
    return f"{formed.key:X}"


def _smd_show(node: Node, args: dict[str, str]) -> str:
    module = node.metadata.smd.modules.get(args.get("module", ""))
    if module is None:
        return "ERROR:4:bad module"
    return ";".join(f"{key}={value}" for key, value in module.live().items())


def _partition_info(node: Node, _: dict[str, str]) -> str:
    lines = ["namespace:partition:replica:master:records"]
    for name, table in node.migrations.tables.items():
        for pid, nodes in enumerate(table):
            rank = nodes.index(node.node_id) if node.node_id in nodes else -1
            newest = max(
                (version_of(b).updated_ms for b, _ in node.namespaces[name].partitions[pid].values()), default=0
            )
            lines.append(f"{name}:{pid}:{rank}:{nodes[0]}:{len(node.namespaces[name].partitions[pid])}:{newest}")
    return ";".join(lines)


_WITH_ARGUMENTS: dict[str, Callable[[Node, dict[str, str]], str]] = {
    "namespace": lambda _node, _args: "type=unknown",
    "sets": lambda _node, _args: "ns_type=unknown",
    "get-config": _get_config,
    "config-get": _get_config,
    "cluster-stable": _cluster_stable,
    "sindex-list": lambda node, args: _sindexes(node, args.get("namespace") or args.get("ns")),
    "sindex-stat": _sindex_statistics,
    "sindex-exists": _sindex_exists,
    "smd-show": _smd_show,
    "udf-get": _udf,
    "partition-info": _partition_info,
    "dump-wb-summary": lambda _node, _args: "ERROR:4:'verbose' may be either 'true' or 'false'",
}
