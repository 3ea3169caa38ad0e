"""Make the aerospike.conf that a start goes by from now on, and refuse one that would harm what was checked."""

import os
from typing import List, Mapping

from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.conf_namespaces import configured_namespaces
from aerokeep_node.conf_text import cold_start_empty, file_sizes, with_node_id, with_path
from aerokeep_node.refusal import RefusalError
from aerokeep_node.stage_order import Order


def staged_text(base: str, order: Order, rewritten: Mapping[str, str]) -> str:
    """Make the conf: node-id, and the paths of devices that have another name on this host.

    Raises:
        RefusalError: ``conf_differs``, ``cold_start_empty_on_disk``, ``filesize_too_small`` or ``path_not_in_conf``.

    """
    text = base if order.node_id is None else with_node_id(base, order.node_id)
    for device in order.devices:
        if device.path in rewritten:
            text = with_path(text, device.namespace, device.path, rewritten[device.path])
    conf = parse_conf(text)
    emptied = cold_start_empty(conf)
    if emptied:
        detail = "the conf has cold-start-empty true in {}: its devices would be erased".format(", ".join(emptied))
        raise RefusalError("cold_start_empty_on_disk", detail)
    _judge_paths(conf, order, rewritten)
    return text


def _judge_paths(conf: Context, order: Order, rewritten: Mapping[str, str]) -> None:
    """Refuse a conf with other devices than those that were checked: the server takes a missing one for granted."""
    named = {config.name: sorted(path.path for path in config.paths) for config in configured_namespaces(conf)}
    checked = {name: _paths_of(name, order, rewritten) for name in {device.namespace for device in order.devices}}
    for name in sorted({*named, *checked}):
        if named.get(name, []) != checked.get(name, []):
            detail = "namespace {}: the conf names {}, the order {}".format(name, named.get(name), checked.get(name))
            raise RefusalError("conf_differs", detail)


def _paths_of(namespace: str, order: Order, rewritten: Mapping[str, str]) -> List[str]:
    return sorted(rewritten.get(one.path, one.path) for one in order.devices if one.namespace == namespace)


def judge_file_sizes(text: str) -> None:
    """Refuse a ``filesize`` below the size of a file that is there: the server would cut it off at its start."""
    for path, size_bytes in file_sizes(parse_conf(text)).items():
        try:
            there_bytes = os.stat(path).st_size
        except OSError:
            continue
        if there_bytes > size_bytes:
            detail = f"{path} has {there_bytes} bytes, filesize says {size_bytes}: the server would cut it off"
            raise RefusalError("filesize_too_small", detail)
