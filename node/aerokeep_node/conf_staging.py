"""Write the aerospike.conf that a start goes by from now on; the former one stays beside it and can be put back."""

import os
from typing import List, Mapping, Optional

from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.conf_namespaces import configured_namespaces
from aerokeep_node.conf_text import cold_start_empty, file_sizes, with_node_id, with_path
from aerokeep_node.placing import DRAFT, place, read_whole, remove, sync_directory
from aerokeep_node.refusal import RefusalError
from aerokeep_node.stage_order import Order


class ConfStaging:
    """The conf of this host, for one run; of a link, what it leads to is replaced, and the link stays."""

    def __init__(self, path: str, run: str) -> None:
        self.path = os.path.realpath(path)
        self.aside = f"{self.path}.aerokeep-{run}"
        self._none_before = self.aside + ".none"

    def former(self) -> Optional[str]:
        """Give the conf as it was before this run touched it; None if there was none."""
        if os.path.exists(self._none_before):
            return None
        content = read_whole(self.aside)
        content = read_whole(self.path) if content is None else content
        return None if content is None else content.decode("utf-8", "replace")

    def put(self, text: str) -> None:
        """Put a conf in place; before that, keep the former one."""
        content = text.encode("utf-8")
        current = read_whole(self.path)
        if current == content:
            return
        if current is None and not os.path.exists(self.aside):
            place(self._none_before, b"", like="")
        elif current is not None and not (os.path.exists(self.aside) or os.path.exists(self._none_before)):
            place(self.aside, current, like=self.path)
        place(self.path, content, like=self.aside)

    def put_back(self) -> bool:
        """Put the former conf back; whether another one stood in its place."""
        for path in (self.path, self.aside, self._none_before):
            remove(path + DRAFT)
        if os.path.exists(self.aside):
            os.rename(self.aside, self.path)
            sync_directory(os.path.dirname(self.path))
            return True
        if os.path.exists(self._none_before):
            remove(self.path)
            return remove(self._none_before)
        return False


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
