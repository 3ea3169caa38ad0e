"""What must be so before a job starts: tools, credentials, the key, the server's consent, room, and the vault."""

import json
import shutil
import subprocess
from typing import Dict, Optional, Tuple

from aerokeep_node.asd import Asd, has_credentials_file
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, is_security_error, refuse
from aerokeep_node.namespaces import list_namespaces, read_config
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.transfer.keys import find_key
from aerokeep_node.transfer.order import Order
from aerokeep_node.transfer.spool import free_mib
from aerokeep_node.transfer.tools import (
    BACKUP,
    TOOL_OF,
    can_validate,
    describe_tool,
    tool_version,
)
from aerokeep_node.transfer.vault import AWS, has_credentials, tool_environment, upload_command
from aerokeep_node.tree import Tree

TIMEOUT_S = 12.0
LISTING_TIMEOUT_S = 8.0
STOPS_WRITES = ("stop_writes", "clock_skew_stop_writes")


def look(tree: Tree, order: Order) -> Tuple[Optional[Dict[str, str]], Optional[str]]:
    """Give the tool with its version, and the check of the key.

    Raises:
        RefusalError: the order can't succeed on this host as it is.
        NotNowError: ``vault_unreachable``, or the server does not answer.

    """
    tool = describe_tool(order.kind)
    _judge_tool(order, tool)
    _judge_programs(order)
    if order.kind != "verify" or order.sample:
        _judge_server(tree, order)
    if order.mode == "directory":
        _judge_room(tree, order)
    _judge_credentials()
    key = None if order.kind == "estimate" else find_key(tree, order)
    if order.kind == "export":
        _put_begun(order)
    return tool, None if key is None else key.check


def _judge_tool(order: Order, tool: Optional[Dict[str, str]]) -> None:
    if order.kind != "verify":
        if tool is None:
            raise RefusalError("tool_missing", f"{TOOL_OF[order.kind]} is not on this host's PATH")
    elif order.sample and tool_version(BACKUP) is None:
        raise RefusalError("tool_missing", f"{BACKUP} is not on this host's PATH; without it no sample can be compared")
    elif order.encryption is not None and not can_validate():
        raise RefusalError("tool_missing", "an encrypted export can only be verified by an asrestore with --validate")


def _judge_programs(order: Order) -> None:
    needed = [AWS] if order.compressor == "none" else [AWS, order.compressor]
    missing = [name for name in needed if shutil.which(name) is None]
    if missing:
        raise RefusalError("program_missing", "not on this host's PATH: {}".format(", ".join(missing)))


def _judge_server(tree: Tree, order: Order) -> None:
    asd = Asd(tree)
    if asd.tls_only:
        raise RefusalError("tls_only", "the tools are given no certificates: open a plain service port for this host")
    if asd.pid is not None and asd.security_in_conf:
        _judge_credentials_file(tree)
        return
    connection = InfoConnection(order.address, order.port)
    try:
        _judge_namespaces(order, connection)
    except InfoError as error:
        if not is_security_error(str(error)):
            raise refuse(error) from error
        _judge_credentials_file(tree)
    except InfoSilenceError as error:
        raise refuse(error) from error
    finally:
        connection.close()


def _judge_credentials_file(tree: Tree) -> None:
    """Refuse a server with security whose credentials the tools don't have; info can't be asked without a login."""
    if not has_credentials_file(tree):
        detail = (
            "the server has security enabled: put user and password into /etc/aerospike/astools.conf (root, mode 600)"
        )
        raise RefusalError("security_without_credentials", detail)


def _judge_namespaces(order: Order, connection: InfoConnection) -> None:
    existing = list_namespaces(connection)
    targets = [part.target for part in order.import_parts if order.kind == "import"]
    sources = [part.namespace for part in order.parts if order.kind != "import"]
    for name in sorted({*targets, *sources}):
        if name not in existing:
            detail = "{} is not among this server's {}".format(name, ", ".join(existing))
            raise RefusalError("namespace_unknown", detail)
        if name not in targets:
            continue
        if read_config(connection, name).guarded:
            detail = f"{name} rejects writes: asrestore would write nothing, and count the records as ignored"
            raise RefusalError("namespace_guarded", detail)
        statistics = connection.ask_pairs("namespace/" + name)
        stopped = [reason for reason in STOPS_WRITES if statistics.get(reason) == "true"]
        if stopped:
            raise RefusalError("namespace_full", "{} takes no writes: {}".format(name, ", ".join(stopped)))


def _judge_room(tree: Tree, order: Order) -> None:
    free = free_mib(tree.path(order.directory))
    if free is None or free < order.needed_mib:
        detail = f"{free or 0} MiB free below {order.directory}, {order.needed_mib} MiB are needed"
        raise RefusalError("disk_too_small", detail)


def _judge_credentials() -> None:
    try:
        done = subprocess.run(
            [AWS, "configure", "list"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=LISTING_TIMEOUT_S,
            env=tool_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotNowError("credentials_unknown", f"aws configure list: {type(error).__name__}") from error
    if not has_credentials(done.stdout.decode("utf-8", "replace")):
        words = done.stderr.decode("utf-8", "replace").strip()[-200:]
        detail = f"aws finds no credentials here: give the instance a role that may use the vault {words}"
        raise RefusalError("credentials_missing", detail.strip())


def _put_begun(order: Order) -> None:
    """Put a small object, by the very way the export will go."""
    content = json.dumps({"run": order.run, "token": order.token, "parts": [part.name for part in order.parts]})
    try:
        done = subprocess.run(
            upload_command(order, order.key_of("begun", ".json")),
            input=content.encode("ascii"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_S,
            env=tool_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotNowError("vault_unreachable", f"no answer within {TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        raise NotNowError("vault_unreachable", done.stderr.decode("utf-8", "replace").strip()[-300:])
