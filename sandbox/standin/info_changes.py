"""Info commands that change something.

Each first appends to a file in the work directory, in a thread of its own: like the real server it then hangs while
that filesystem is frozen, and takes effect after the thaw, while everything else goes on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING

from sandbox.standin import record
from sandbox.standin.blocking import aside
from sandbox.standin.fabric import NoAnswerError
from sandbox.standin.settings import InvalidSettingError, Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.standin.node import Node

_INVALID = "ERROR:4:invalid set-config parameter"
_NO_NAMESPACE = "ERROR:20:namespace not found on node"
_KINDS = {"numeric": "I", "string": "S", "blob": "B", "geo2dsphere": "G"}
COLLECTIONS = {"default": ".", "list": "L", "mapkeys": "K", "mapvalues": "V"}


async def _note(node: Node, line: str) -> None:
    """Append to the work directory; this is what hangs while it is frozen."""

    def append() -> None:
        with (node.conf.work_directory / "changes.log").open("a") as sink:
            sink.write(f"{line}\n")

    await aside(append)


async def _set_config(node: Node, args: dict[str, str]) -> str:
    context = args.pop("context", None)
    if context is None:
        return "ERROR:4:missing 'context'"
    name = args.pop("id", None) or args.pop("namespace", None)
    namespace = node.namespaces.get(name or "") if context == "namespace" else None
    if context == "namespace" and namespace is None:
        return _NO_NAMESPACE
    settings: Settings
    match context:
        case "namespace" if namespace is not None:
            settings = namespace.settings
        case "service":
            settings = node.service_settings
        case "network":
            settings = node.network_settings
        case _:
            return "ERROR:4:unrecognized context"
    try:
        changes = {settings.check(key, value): value for key, value in args.items()}
    except InvalidSettingError:
        return _INVALID
    if not changes:
        return _INVALID
    await _note(node, f"config-set: {context} {name or ''} {changes}")
    settings.values |= changes
    if namespace is not None:
        namespace.apply_settings()
    node.apply_settings()
    node.log.note("config", f"config-set command completed: {context} {name or ''} {changes}")
    return "ok"


async def _change_smd(node: Node, module: str, key: str, value: str | None) -> str:
    await _note(node, f"smd: {module} {key}")
    try:
        await node.metadata.change(module, key, value)
    except NoAnswerError:
        return "ERROR:9:timeout"
    return "ok"


async def _sindex_create(node: Node, args: dict[str, str]) -> str:
    namespace = args.get("namespace") or args.get("ns", "")
    bin_name, _, kind = args.get("indexdata", "").partition(",")
    bin_name, kind = args.get("bin", bin_name), args.get("type", kind).lower()
    name, collection = args.get("indexname", ""), args.get("indextype", "default").lower()
    if namespace not in node.namespaces:
        return "ERROR:20:unknown namespace"
    if not name:
        return "ERROR:4:missing 'indexname'"
    if not bin_name or kind not in _KINDS or collection not in COLLECTIONS:
        return "ERROR:4:bad 'bin', 'type' or 'indextype'"
    key = f"{namespace}|{args.get('set', '')}|{bin_name}|{COLLECTIONS[collection]}|{_KINDS[kind]}"
    live = node.metadata.smd.modules["sindex"].live()
    same_name = [k for k, v in live.items() if v == name and k.startswith(f"{namespace}|")]
    if same_name == [key]:
        return "ok"
    if same_name:
        return "ERROR:200:'indexname' already exists with different definition"
    return await _change_smd(node, "sindex", key, name)


async def _sindex_delete(node: Node, args: dict[str, str]) -> str:
    namespace, name = args.get("namespace") or args.get("ns", ""), args.get("indexname", "")
    live = node.metadata.smd.modules["sindex"].live()
    keys = [k for k, v in live.items() if v == name and k.startswith(f"{namespace}|")]
    return await _change_smd(node, "sindex", keys[0], None) if keys else "ok"


async def _udf_put(node: Node, args: dict[str, str]) -> str:
    name, content = args.get("filename"), args.get("content", "")
    try:
        base64.b64decode(content, validate=True)
    except binascii.Error:
        return "ERROR:4:bad 'content'"
    if not name or not content:
        return "ERROR:4:missing 'filename' or 'content'"
    value = json.dumps({"content64": content, "type": "LUA", "name": name})
    answer = await _change_smd(node, "UDF", name, value)
    return "" if answer == "ok" else answer


async def _udf_remove(node: Node, args: dict[str, str]) -> str:
    return await _change_smd(node, "UDF", args.get("filename", ""), None)


def udf_hash(value: str) -> str:
    """Return the hash that ``udf-list`` shows of a module's SMD value."""
    return hashlib.sha1(json.loads(value)["content64"].encode(), usedforsecurity=False).hexdigest()


async def _truncate(node: Node, args: dict[str, str]) -> str:
    namespace, set_name = args.get("namespace", ""), args.get("set", "")
    until_ms = record.now_ms()
    if "lut" in args:
        lut_ns = int(args["lut"]) if args["lut"].isdecimal() else 0
        until_ms = lut_ns // 1_000_000 - record.EPOCH_2010_S * 1000
        if until_ms <= 0:
            return "ERROR:4:would truncate to 0"
    if namespace not in node.namespaces:
        return "ok"
    key = f"{namespace}|{set_name}" if set_name else namespace
    return await _change_smd(node, "truncate", key, str(until_ms))


async def _recluster(node: Node, _: dict[str, str]) -> str:
    if node.membership.principal != node.node_id:
        return "ignored-by-non-principal"
    await _note(node, "recluster")
    node.membership.formed = None
    return "ok"


async def _tip(node: Node, args: dict[str, str]) -> str:
    port = args.get("port", "")
    if "host" not in args or not port.isdecimal():
        return "ERROR:4:missing 'host' or 'port'"
    node.mesh.tip(args["host"], int(port))
    return "ok"


COMMANDS: dict[str, Callable[[Node, dict[str, str]], Awaitable[str]]] = {
    "set-config": _set_config,
    "config-set": _set_config,
    "sindex-create": _sindex_create,
    "sindex-delete": _sindex_delete,
    "udf-put": _udf_put,
    "udf-remove": _udf_remove,
    "truncate": _truncate,
    "truncate-namespace": _truncate,
    "recluster": _recluster,
    "tip": _tip,
}
