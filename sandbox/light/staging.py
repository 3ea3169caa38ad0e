"""Verb ``stage`` of a light host: bring it to what a spec says, or back; all at once, after everything was checked."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from aerokeep_node.conf import parse_conf
from aerokeep_node.formats.smd import SUFFIX, BadSmdError, parse_smd
from aerokeep_node.refusal import NotNowError, RefusalError

from sandbox.light.capturing import download
from sandbox.light.content import Extent
from sandbox.light.host import CONF, DROP_IN, FIRST_START_CONF, Host
from sandbox.light.looking import clock
from sandbox.light.server import work_directory_of

Spec = Mapping[str, Any]
BY_ID = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
AEROSPIKE_EPOCH_S = 1262304000
BACK = "back"
_NODE_ID = re.compile(r"^(\s*)node-id\s+\S+$", re.MULTILINE)
_SERVICE = re.compile(r"^service\s*\{", re.MULTILINE)


def read_spec(url: str) -> tuple[Spec, dict[str, bytes]]:
    """The spec and the files that it names, by their kind and name (``smd/sindex.smd``)."""
    spec: Spec = json.loads(download(url, "download_failed"))
    files = {}
    for kind in ("smd", "conf"):
        for file in (spec.get(kind) or {}).get("files", []):
            content = download(file["url"], "download_failed")
            if hashlib.sha256(content).hexdigest() != file["sha256"]:
                raise RefusalError("checksum_differs", f"{kind}/{file['name']}")
            files[f"{kind}/{file['name']}"] = content
    return spec, files


def check_idle(host: Host) -> None:
    """Nothing is staged below a server that runs or may start."""
    if host.server is not None:
        raise RefusalError("asd_running", "the server runs: stop it first")
    if not host.masked:
        raise RefusalError("not_masked", "the unit may be started: stop and mask it first")


def stage(host: Host, run: str, spec: Spec, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Check in the order of the contract, then change."""
    check_idle(host)
    _check_clock(host, spec)
    _check_devices(host, spec["volumes"])
    raw = [device for device in spec["devices"] if device["role"] != "file"]
    headers = _check_sets(host, spec, raw)
    _mount(host, spec["volumes"])
    headers |= _check_sets(host, spec, [device for device in spec["devices"] if device["role"] == "file"])
    _stage_smd(host, run, spec, files)
    rewritten = _stage_conf(host, run, spec, files)
    _stage_first_start(host, spec.get("first_start"))
    return {"staged": True, "headers": headers, "conf_path": CONF, "clock": clock(host), "rewritten": rewritten}


def back(host: Host, run: str) -> dict[str, Any]:
    """Undo what this run staged, and mount again what it unmounted; the unit stays masked."""
    check_idle(host)
    put_back = []
    work = work_directory_of(parse_conf(host.read(CONF) or ""))
    if any(host.below(f"{work}/smd.aerokeep-{run}")):
        _clear(host, f"{work}/smd")
        host.move(f"{work}/smd.aerokeep-{run}", f"{work}/smd")
        host.remove(f"{work}/smd/.aside")
        put_back.append(f"{work}/smd")
    if f"{CONF}.aerokeep-{run}" in host.files:
        host.move(f"{CONF}.aerokeep-{run}", CONF)
        put_back.append(CONF)
    host.remove(DROP_IN)
    host.remove(FIRST_START_CONF)
    for point, volume_id in host.unmounted.get(run, {}).items():
        volume = next((v for v in host.devices.values() if v.volume_id == volume_id), None)
        if volume is not None and point not in host.mounts:
            host.mounts[point] = volume
    return {"staged": False, "put_back": put_back}


def _check_clock(host: Host, spec: Spec) -> None:
    bound, known = spec.get("clock_error_s"), clock(host)
    if bound is not None and (not known["synchronised"] or known["error_s"] >= bound):
        raise NotNowError("clock_unsynchronised", f"error bound {known['error_s']} s, {bound} s are allowed")


def _check_devices(host: Host, volumes: Sequence[Spec]) -> None:
    present = {volume.volume_id for volume in host.devices.values()}
    if gone := [volume["volume_id"] for volume in volumes if volume["volume_id"] not in present]:
        raise NotNowError("device_missing", f"not on this host: {', '.join(gone)}")


def _extent(host: Host, device: Spec) -> Extent | None:
    if device["role"] == "file":
        place = host.place(device["path"])
        return place.extent if place is not None else None
    if device["volume_id"] is None:
        volume = host.volume_at(device["path"])
    else:
        volume = next(v for v in host.devices.values() if v.volume_id == device["volume_id"])
    return volume.content.raw if volume is not None else None


def _check_sets(host: Host, spec: Spec, devices: Sequence[Spec]) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for wanted in spec["sets"]:
        of_set = [device for device in devices if device["namespace"] == wanted["namespace"]]
        checked = [device for device in of_set if device["volume_id"] is not None] or of_set
        found = {device["path"]: _extent(host, device) for device in checked}
        if not found:
            continue
        if wanted.get("blank"):
            if filled := [path for path, extent in found.items() if extent is not None]:
                raise RefusalError("not_blank", f"{', '.join(filled)}: there is data")
            continue
        _check_set(wanted, found)
        headers |= {path: extent.header.as_json() for path, extent in found.items() if extent is not None}
    return headers


def _check_set(wanted: Spec, found: Mapping[str, Extent | None]) -> None:
    if blank := [path for path, extent in found.items() if extent is None]:
        raise RefusalError("header_blank", f"{', '.join(blank)}: all zero")
    headers = [extent.header for extent in found.values() if extent is not None]
    if any(header.namespace != wanted["namespace"] for header in headers):
        raise RefusalError("namespace_differs", f"{sorted({h.namespace for h in headers})} on {sorted(found)}")
    if wanted.get("version") not in (None, headers[0].version):
        raise RefusalError("version_differs", f"{headers[0].version}, {wanted['version']} was expected")
    if any(header.n_devices != len(headers) for header in headers) or len(headers) != wanted["n_devices"]:
        raise RefusalError("set_incomplete", f"{len(headers)} devices of {headers[0].n_devices}")
    signatures = {f"{header.random:016x}" for header in headers}
    if len(signatures) > 1 or wanted.get("random") not in (None, *signatures):
        raise RefusalError("set_mixed", f"signatures {sorted(signatures)}, {wanted.get('random')} was expected")


def _mount(host: Host, volumes: Sequence[Spec]) -> None:
    for wanted in volumes:
        if not (mount := wanted.get("mount")):
            continue
        volume = next(v for v in host.devices.values() if v.volume_id == wanted["volume_id"])
        if volume.content.fs_type is None:
            raise RefusalError("mount_failed", f"{wanted['volume_id']} holds no filesystem")
        host.mounts[mount["point"]] = volume


def _stage_smd(host: Host, run: str, spec: Spec, files: Mapping[str, bytes]) -> None:
    wanted = spec.get("smd") or {"action": "keep"}
    staged = {name.removeprefix("smd/"): content for name, content in files.items() if name.startswith("smd/")}
    for name, content in staged.items():
        _check_smd(name, content, spec.get("cut_at"))
    if wanted["action"] == "keep":
        return
    work = work_directory_of(parse_conf(files.get("conf/aerospike.conf", b"").decode() or host.read(CONF) or ""))
    aside = f"{work}/smd.aerokeep-{run}"
    if not any(host.below(aside)):
        host.move(f"{work}/smd", aside)
        host.write(f"{aside}/.aside", b"")
    _clear(host, f"{work}/smd")
    for name, content in staged.items():
        host.write(f"{work}/smd/{name}", content)


def _check_smd(name: str, content: bytes, cut_at: float | None) -> None:
    try:
        items = parse_smd(content).items
    except BadSmdError as error:
        raise RefusalError("smd_invalid", f"{name}: {error}") from error
    if name != f"truncate{SUFFIX}" or cut_at is None:
        return
    limit_ms = (cut_at - AEROSPIKE_EPOCH_S) * 1000
    if late := [item.key for item in items if item.value and int(item.value) > limit_ms]:
        raise RefusalError("threshold_after_cut", f"{name}: {', '.join(late)}")


def _clear(host: Host, folder: str) -> None:
    for name, _ in list(host.below(folder)):
        host.remove(f"{folder}/{name}")


def _stage_conf(host: Host, run: str, spec: Spec, files: Mapping[str, bytes]) -> dict[str, str]:
    before = host.read(CONF)
    aside = f"{CONF}.aerokeep-{run}"
    replaced = (spec.get("conf") or {}).get("action") == "replace"
    text = files["conf/aerospike.conf"].decode() if replaced else before
    if text is None:
        raise RefusalError("conf_missing", f"there is no {CONF}")
    rewritten = {}
    for device in spec["devices"]:
        volume = host.volume_at(device["path"]) if device["role"] != "file" else None
        if device["role"] != "file" and device["volume_id"] not in (None, volume and volume.volume_id):
            rewritten[device["path"]] = BY_ID + device["volume_id"].replace("-", "")
    for old, new in rewritten.items():
        text = re.sub(rf"(?<!\S){re.escape(old)}(?!\S)", new, text)
    if spec.get("node_id"):
        text = _with_node_id(text, spec["node_id"])
    if text != before:
        if aside not in host.files:
            host.write(aside, (before or "").encode())
        host.write(CONF, text.encode())
    return rewritten


def _with_node_id(text: str, node_id: str) -> str:
    if _NODE_ID.search(text):
        return _NODE_ID.sub(rf"\g<1>node-id {node_id}", text)
    return _SERVICE.sub(f"service {{\n    node-id {node_id}", text)


def _stage_first_start(host: Host, wanted: Spec | None) -> None:
    if not wanted:
        host.remove(DROP_IN)
        host.remove(FIRST_START_CONF)
        return
    lines, namespace = [], ""
    for line in (host.read(CONF) or "").splitlines():
        lines.append(line)
        words = line.split()
        if words[:1] == ["namespace"]:
            namespace = words[1]
            if namespace in wanted.get("reject_writes", []):
                lines.append("    reject-non-xdr-writes true")
        if words[:1] == ["storage-engine"] and namespace in wanted.get("cold_start_empty", []):
            lines.append("        cold-start-empty true")
    host.write(FIRST_START_CONF, ("\n".join(lines) + "\n").encode())
    host.write(DROP_IN, f"[Service]\nExecStart=\nExecStart=/usr/bin/asd --config-file {FIRST_START_CONF}\n".encode())
