"""Live values over the recorded replies of ``statistics`` and ``namespace/<ns>``: same fields, same order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.standin.record import now_ms
from sandbox.standin.segment_log import SEGMENT_BYTES, SegmentLog
from sandbox.standin.settings import recorded

if TYPE_CHECKING:
    from sandbox.standin.namespace import Namespace
    from sandbox.standin.node import Node

_INDEX_ENTRY_BYTES = 64


def of_node(node: Node) -> str:
    """Return the reply of ``statistics``."""
    formed = node.migrations.formed
    rebalanced_s = node.now() - node.migrations.rebalanced_at
    cpu_s = time.process_time()
    live: dict[str, object] = {
        "cluster_size": len(formed.ids) if formed else 0,
        "cluster_key": f"{formed.key:X}" if formed else "0",
        "cluster_generation": node.membership.generation,
        "cluster_principal": node.membership.principal if formed else "0",
        "cluster_integrity": _flag(formed is not None),
        "cluster_is_member": _flag(formed is not None),
        "cluster_duplicate_nodes": ",".join(sorted(node.membership.duplicates)) or "null",
        "cluster_clock_skew_ms": node.mesh.clock_skew_ms,
        "uptime": node.uptime_s,
        "process_cpu_pct": int(100 * cpu_s / max(1, node.uptime_s)),
        "objects": sum(ns.object_count() for ns in node.namespaces.values()),
        "rw_in_progress": node.transactions.in_progress,
        "proxy_in_progress": node.transactions.proxies_in_progress,
        "client_connections": len(node.service.connections),
        "client_connections_opened": node.service.opened,
        "client_connections_closed": node.service.opened - len(node.service.connections),
        "heartbeat_connections": len(node.membership.peers),
        "heartbeat_received_foreign": node.mesh.received,
        "info_complete": node.service.info_complete,
        "batch_index_initiate": node.service.batches,
        "batch_index_complete": node.service.batches,
        "paxos_principal": node.membership.principal if formed else "0",
        "migrate_allowed": _flag(formed is not None),
        "time_since_rebalance": int(rebalanced_s),
        "migrate_partitions_remaining": node.migrations.remaining,
    }
    values = recorded("node-statistics") | {name: str(value) for name, value in live.items()}
    return ";".join(f"{name}={value}" for name, value in values.items())


def of_namespace(node: Node, namespace: Namespace) -> str:
    """Return the reply of ``namespace/<ns>``: statistics, then settings."""
    values: dict[str, str] = {}
    live = _live(node, namespace)
    for name, value in recorded("namespace-statistics").items():
        if name.startswith("storage-engine.file[0]."):
            if name.endswith(".used_bytes"):
                values |= _devices(namespace)
        else:
            values[name] = str(live.get(name, namespace.counters.get(name, "0" if _counts(name) else value)))
    values |= {name: str(count) for name, count in namespace.counters.items() if name not in values}
    shown = [f"{name}={value}" for name, value in values.items()]
    return ";".join([*shown, namespace.settings.shown()])


def _live(node: Node, namespace: Namespace) -> dict[str, object]:
    name, formed = namespace.name, node.migrations.formed
    master = prole = other = 0
    for pid, partition in enumerate(namespace.partitions):
        nodes = node.migrations.nodes_of(name, pid)
        if nodes and nodes[0] == node.node_id:
            master += len(partition)
        elif node.node_id in nodes:
            prole += len(partition)
        else:
            other += len(partition)
    logs = namespace.storage.logs
    used = sum(sum(device.used) for device in logs)
    total = sum(device.total for device in logs) * SEGMENT_BYTES or namespace.conf.data_size_bytes
    unsettled = len(node.migrations.unsettled[name])
    objects = master + prole + other
    size = len(formed.ids) if formed else 0
    evict_until = node.metadata.smd.modules["evict"].live().get(name, "0")
    return {
        "truncate_lut": truncate_lut(node, name),
        "evict_void_time": evict_until,
        "smd_evict_void_time": evict_until,
        "ns_cluster_size": size,
        "effective_replication_factor": min(namespace.replication_factor, size),
        "objects": objects,
        "master_objects": master,
        "prole_objects": prole,
        "non_replica_objects": other,
        "stop_writes": _flag(namespace.stop_writes),
        "current_time": now_ms() // 1000,
        "index_used_bytes": objects * _INDEX_ENTRY_BYTES,
        "sindex_used_bytes": 0,
        "data_total_bytes": total,
        "data_used_bytes": used,
        "data_used_pct": used * 100 // total,
        "data_avail_pct": namespace.storage.available_pct,
        "migrate_tx_partitions_remaining": unsettled,
        "migrate_tx_partitions_initial": unsettled,
        "migrate_records_transmitted": node.migrations.transmitted[name],
        "migrate_record_receives": node.migrations.received[name],
    }


def truncate_lut(node: Node, namespace: str, set_name: str = "") -> str:
    """Return the last update (ms since 2010) up to which records of a set, or of all sets, are truncated; or 0."""
    key = f"{namespace}|{set_name}" if set_name else namespace
    return node.metadata.smd.modules["truncate"].live().get(key, "0")


def _devices(namespace: Namespace) -> dict[str, str]:
    values: dict[str, str] = {}
    for index, (conf, device) in enumerate(zip(namespace.conf.volumes, namespace.storage.logs, strict=True)):
        in_memory = namespace.conf.engine == "memory"
        kind = "stripe" if in_memory else "file" if conf.is_file else "device"
        prefix = f"storage-engine.{kind}[{index}]"
        queue = "backing_write_q" if in_memory else "write_q"
        shown = _device(device, queue, shadow=conf.shadow is not None)
        values |= {f"{prefix}.{name}": str(value) for name, value in shown.items()}
    return values


def _device(device: SegmentLog, queue: str, *, shadow: bool) -> dict[str, int]:
    values = {
        "used_bytes": sum(device.used),
        "free_wblocks": device.free,
        "read_errors": 0,
        queue: device.write_q,
        "writes": device.writes,
        "partial_writes": device.partial_writes,
        "defrag_q": 0,
        "defrag_reads": device.defrag_reads,
        "defrag_writes": 0,
        "defrag_partial_writes": 0,
    }
    if shadow:
        # The thread writes device and shadow together, so what waits for the one waits for the other.
        values["shadow_write_q"] = device.write_q
    return values | {"age": -1}


def _counts(name: str) -> bool:
    return name.startswith(("client_", "from_proxy_", "batch_sub_", "xdr_", "fail_"))


def _flag(value: bool) -> str:  # noqa: FBT001 - turns a flag into its text
    return "true" if value else "false"
