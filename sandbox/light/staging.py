"""Verb ``stage`` of a light host: bring it to what an order says, or back; what is judged the real program judges."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aerokeep_node.conf import parse_conf
from aerokeep_node.conf_staging import staged_text
from aerokeep_node.conf_text import first_start_text
from aerokeep_node.device_sets import judge_headers
from aerokeep_node.fstab import Filesystem, fstab_text
from aerokeep_node.headers import header_json
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.smd_staging import judge_smd
from aerokeep_node.stage_order import DeviceOrder, FileOrder, Order, SetOrder, parse_order

from sandbox.dataplane.names import volume_links
from sandbox.light.capturing import download
from sandbox.light.content import Extent, Volume
from sandbox.light.host import CONF, DROP_IN, FIRST_START_CONF, FSTAB, Host
from sandbox.light.looking import clock
from sandbox.light.server import work_directory_of

BACK = "back"
ASIDE = ".aside"
"""Lies in an SMD folder that was moved aside, so that one that was empty can be told from none."""
Files = Mapping[str, bytes]


def read_order(url: str) -> tuple[Order, Files]:
    """The order and the files that it names."""
    order = parse_order(json.loads(download(url, "download_failed")))
    return order, {file.name: _fetched(file) for file in (*order.smd_files, *order.conf_files)}


def _fetched(file: FileOrder) -> bytes:
    content = download(file.url, "download_failed")
    if (hashlib.sha256(content).hexdigest(), len(content)) != (file.sha256, file.size):
        raise RefusalError("checksum_differs", f"{file.name} is not what was ordered")
    return content


def check_idle(host: Host) -> None:
    """Nothing is staged below a server that runs or may start."""
    if host.server is not None:
        raise RefusalError("asd_running", "asd runs on this host: stop it first")
    if not host.masked:
        raise RefusalError("not_masked", "the unit is not masked: something could start the server meanwhile")


def stage(host: Host, run: str, order: Order, files: Files) -> dict[str, Any]:
    """Everything is looked at before the first change."""
    check_idle(host)
    _judge_clock(host, order)
    rewritten = _rewritten(host, order)
    smd = {file.name: files[file.name] for file in order.smd_files}
    judge_smd(smd, order.cut_at)
    text = staged_text(_base(host, run, order, files), order, rewritten)
    first = first_start_text(text, order.reject_writes, order.cold_start_empty) if order.first_start else None
    headers = _judge_sets(host, order, files=False)
    _mount(host, order)
    headers |= _judge_sets(host, order, files=True)
    _stage_fstab(host, run, order)
    _stage_smd(host, f"{work_directory_of(parse_conf(text))}/smd", run, order, smd)
    _put(host, CONF, run, text)
    _stage_first_start(host, first)
    return {"staged": True, "headers": headers, "conf_path": CONF, "clock": clock(host), "rewritten": rewritten}


def back(host: Host, run: str) -> dict[str, Any]:
    """Undo what this run staged, and mount again what it unmounted; the unit stays masked."""
    check_idle(host)
    put_back = ["first_start"] if DROP_IN in host.files else []
    _stage_first_start(host, None)
    if _put_back(host, FSTAB, run):
        put_back.append("fstab")
    for point, volume_id in host.unmounted.get(run, {}).items():
        volume = _volume(host, volume_id)
        if volume is not None and host.mounts.setdefault(point, volume) is not volume:
            raise RefusalError("mount_failed", f"{point} holds another volume than {volume_id}")
    folder = f"{work_directory_of(parse_conf(host.read(CONF) or ''))}/smd"
    if any(host.below(f"{folder}.aerokeep-{run}")):
        _clear(host, folder)
        host.move(f"{folder}.aerokeep-{run}", folder)
        host.remove(f"{folder}/{ASIDE}")
        put_back.append("smd")
    if _put_back(host, CONF, run):
        put_back.append("conf")
    not_mounted = [point for point in host.unmounted.get(run, {}) if point not in host.mounts]
    return {"staged": False, "put_back": put_back, "not_mounted": not_mounted}


def _judge_clock(host: Host, order: Order) -> None:
    known = clock(host)
    if order.clock_error_s is None:
        return
    furthest_s = abs(known["offset_s"]) + known["error_s"]
    if not known["synchronised"] or furthest_s > order.clock_error_s:
        raise NotNowError("clock_unsynchronised", f"off by up to {furthest_s:.3f} s, {order.clock_error_s} s allowed")


def _volume(host: Host, volume_id: str | None) -> Volume | None:
    return next((volume for volume in host.devices.values() if volume.volume_id == volume_id), None)


def _rewritten(host: Host, order: Order) -> dict[str, str]:
    """Every volume must be there; a device that has another name here is named by its volume."""
    if missing := [one.volume_id for one in order.volumes if _volume(host, one.volume_id) is None]:
        raise NotNowError("device_missing", f"not here yet: {', '.join(missing)}")
    names = {}
    for device in order.devices:
        volume = _volume(host, device.volume_id)
        if device.role == "file" or volume is None or host.volume_at(device.path) is volume:
            continue
        names[device.path] = _link(volume)
    return names


def _link(volume: Volume) -> str:
    return "/dev/" + volume_links(volume.volume_id, volume.device)[0]


def _base(host: Host, run: str, order: Order, files: Files) -> str:
    if order.conf_files:
        return files[order.conf_files[0].name].decode()
    former = _former(host, CONF, run)
    if former is None:
        raise RefusalError("conf_unreadable", f"{CONF} is not there, and none was sent")
    return former


def _extent(host: Host, device: DeviceOrder) -> Extent | None:
    if device.role == "file":
        place = host.place(device.path)
        return place.extent if place is not None else None
    volume = _volume(host, device.volume_id) if device.volume_id else host.volume_at(device.path)
    return volume.content.raw if volume is not None else None


def _judge_sets(host: Host, order: Order, *, files: bool) -> dict[str, Any]:
    """The sets whose devices are files, or those whose are not: the latter need no mount."""
    headers: dict[str, Any] = {}
    for wanted in order.sets:
        devices = order.saved_devices(wanted.namespace)
        if any(device.role == "file" for device in devices) == files:
            headers |= _judge_set(host, wanted, devices)
    return headers


def _judge_set(host: Host, wanted: SetOrder, devices: Sequence[DeviceOrder]) -> dict[str, Any]:
    if len(devices) != wanted.n_devices:
        raise RefusalError("set_incomplete", f"{wanted.namespace}: {len(devices)} devices, {wanted.n_devices} expected")
    found = {device.path: _extent(host, device) for device in devices}
    headers = {path: extent.header for path, extent in found.items() if extent is not None}
    if wanted.blank:
        if headers:
            raise RefusalError("not_blank", f"{', '.join(headers)}: there is something")
        return {}
    if blank := [path for path in found if path not in headers]:
        raise RefusalError("header_blank", f"{', '.join(blank)}: all zero")
    judge_headers(wanted, headers)
    return {path: header_json(header) for path, header in headers.items()}


def _mount(host: Host, order: Order) -> None:
    for wanted in order.volumes:
        volume, mount = _volume(host, wanted.volume_id), wanted.mount
        if mount is None or volume is None:
            continue
        if volume.content.fs_type is None or host.mounts.setdefault(mount.point, volume) is not volume:
            raise RefusalError("mount_failed", f"{wanted.volume_id} can't be mounted at {mount.point}")


def _stage_smd(host: Host, folder: str, run: str, order: Order, smd: Files) -> None:
    if order.smd_action == "keep":
        return
    aside = f"{folder}.aerokeep-{run}"
    if not any(host.below(aside)):
        host.move(folder, aside)
        host.write(f"{aside}/{ASIDE}", b"")
    _clear(host, folder)
    for name, content in smd.items():
        host.write(f"{folder}/{name}", content)


def _clear(host: Host, folder: str) -> None:
    for name, _ in list(host.below(folder)):
        host.remove(f"{folder}/{name}")


def _stage_fstab(host: Host, run: str, order: Order) -> None:
    """Light filesystems have no UUID: they are named by their volumes."""
    found = []
    for wanted in order.volumes:
        volume = _volume(host, wanted.volume_id)
        if wanted.mount is not None and volume is not None:
            found.append(Filesystem(wanted.mount, _link(volume), frozenset({_link(volume)})))
    if found:
        _put(host, FSTAB, run, fstab_text(_former(host, FSTAB, run) or "", found))


def _aside(path: str, run: str) -> tuple[str, str]:
    """Where the former file is kept, and what says that there was none."""
    return f"{path}.aerokeep-{run}", f"{path}.aerokeep-{run}.none"


def _former(host: Host, path: str, run: str) -> str | None:
    aside, none_before = _aside(path, run)
    if none_before in host.files:
        return None
    return host.read(aside) or host.read(path)


def _put(host: Host, path: str, run: str, text: str) -> None:
    before = host.files.get(path)
    if before == text.encode():
        return
    aside, none_before = _aside(path, run)
    if aside not in host.files and none_before not in host.files:
        host.write(none_before if before is None else aside, before or b"")
    host.write(path, text.encode())


def _put_back(host: Host, path: str, run: str) -> bool:
    aside, none_before = _aside(path, run)
    if aside in host.files:
        host.write(path, host.files[aside])
    elif none_before in host.files:
        host.remove(path)
    else:
        return False
    host.remove(aside)
    host.remove(none_before)
    return True


def _stage_first_start(host: Host, text: str | None) -> None:
    if text is None:
        host.remove(DROP_IN)
        host.remove(FIRST_START_CONF)
        return
    host.write(FIRST_START_CONF, text.encode())
    host.write(DROP_IN, f"[Service]\nExecStart=\nExecStart=/usr/bin/asd --config-file {FIRST_START_CONF}\n".encode())
