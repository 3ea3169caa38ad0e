"""Are these the devices that a namespace was ordered to start on: every one of one set, and none of another."""

import os
from typing import Any, Dict, List, Mapping

from aerokeep_node.formats.device_header import HEADER_SIZE_BYTES, BadHeaderError, DeviceHeader, is_blank
from aerokeep_node.headers import header_json, read_header, read_start
from aerokeep_node.refusal import RefusalError
from aerokeep_node.stage_order import SetOrder


def check_set(wanted: SetOrder, paths: Mapping[str, str]) -> Dict[str, Dict[str, Any]]:
    """Read the headers of a set; give them by the names in ``paths``, whose values say where to read.

    Raises:
        RefusalError: ``header_<code>``, ``set_incomplete``, ``set_mixed``, ``namespace_differs``, ``version_differs``
            or ``not_blank``.

    """
    if len(paths) != wanted.n_devices:
        raise RefusalError("set_incomplete", f"{wanted.namespace}: {len(paths)} devices, {wanted.n_devices} expected")
    if wanted.blank:
        for name, path in paths.items():
            _judge_blank(name, path)
        return {}
    headers = {}
    for name, path in paths.items():
        try:
            headers[name] = read_header(path)
        except BadHeaderError as error:
            raise RefusalError("header_" + error.code, f"{name}: {error.detail}") from error
    judge_headers(wanted, headers)
    return {name: header_json(header) for name, header in headers.items()}


def judge_headers(wanted: SetOrder, headers: Mapping[str, DeviceHeader]) -> None:
    """Compare headers with each other and with the order; a server would start on some wrong sets without a word.

    Raises:
        RefusalError: as ``check_set``.

    """
    for name, header in headers.items():
        if header.namespace != wanted.namespace:
            raise RefusalError("namespace_differs", f"{name} is of {header.namespace}, not of {wanted.namespace}")
        if header.version != headers[next(iter(headers))].version or wanted.version not in (None, header.version):
            raise RefusalError("version_differs", f"{name}: {header.version}, {wanted.version or 'one'} expected")
    signatures = {name: f"{header.random:016x}" for name, header in headers.items()}
    expected = wanted.random or next(iter(signatures.values()))
    mixed = [f"{name} {signature}" for name, signature in signatures.items() if signature != expected]
    if mixed:
        raise RefusalError("set_mixed", "not of the set {}: {}".format(expected, ", ".join(mixed)))
    for name, header in headers.items():
        if header.n_devices != wanted.n_devices:
            detail = f"{name} belongs to a set of {header.n_devices}, {wanted.n_devices} are here"
            raise RefusalError("set_incomplete", detail)
    positions: List[int] = sorted(header.device_id for header in headers.values())
    if positions != list(range(wanted.n_devices)):
        raise RefusalError("set_incomplete", f"{wanted.namespace}: the devices have positions {positions}")


def _judge_blank(name: str, path: str) -> None:
    if not os.path.exists(path):
        return  # a file that the server will make; devices are known to be there
    try:
        start = read_start(path, HEADER_SIZE_BYTES)
    except OSError as error:
        raise RefusalError("header_unreadable", f"{name}: {error.strerror}") from error
    if not is_blank(start):
        raise RefusalError("not_blank", f"{name} holds something: it is not touched, and not started on")
