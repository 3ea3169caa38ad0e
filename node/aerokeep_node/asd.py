"""Find the database server of this host: its process, its conf, its address, and who it says it is."""

import os
import re
from typing import Any, Dict, List, Optional, Tuple

from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.info import CREDENTIALS, InfoConnection, InfoError, InfoSilenceError, is_security_error, refuse
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.route import Route
from aerokeep_node.tls import is_usable, tls_files
from aerokeep_node.tree import Tree, read_text
from aerokeep_node.unit_files import FIRST_START_CONF, conf_in, exec_start, read_fragments, without_ours

ASTOOLS = "etc/aerospike/astools.conf"
DEFAULT_CONF = "etc/aerospike/aerospike.conf"
ENVIRONMENT_FILES = ("etc/sysconfig/aerospike", "etc/default/aerospike")
DEFAULT_PORT = 3000
DEFAULT_WORK_DIRECTORY = "/opt/aerospike"
_PEER = re.compile(r"\[([0-9A-Fa-f]+),[^,\[\]]*,\[")


class Asd:
    """The server as found on this host; ``pid`` is None while it does not run.

    ``conf_path`` is the conf that stays, also while the server runs with the one of its first start (``started_with``).
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.pid, self.arguments = _find_process(tree)
        self.started_with = _conf_argument(tree, self.pid, self.arguments)
        self.conf_path = _lasting_conf(tree, self.started_with)
        text = read_text(self.conf_path)
        self.conf: Context = parse_conf(text or "")
        self.conf_readable = text is not None
        network = self.conf.child("network")
        self._network = network or Context(())
        self._service = self._network.child("service") or Context(())
        self.route = self.first_route
        """How it is asked; ``connect`` finds out whether it wants a login."""

    @property
    def address(self) -> str:
        """Where info is answered; ``any`` is reached by loopback."""
        address = self._service.get("address") or "any"
        return "127.0.0.1" if address in ("any", "0.0.0.0", "::", "*") else address  # noqa: S104 - compared, not bound

    @property
    def port(self) -> int:
        """The port for clients without TLS, or where there is none the one with."""
        port = self._service.get("tls-port" if self.tls_only else "port") or ""
        return int(port) if port.isdecimal() else DEFAULT_PORT

    @property
    def tls_only(self) -> bool:
        """Whether the conf offers TLS and no plain port."""
        return self._service.get("tls-port") is not None and self._service.get("port") is None

    @property
    def security_in_conf(self) -> bool:
        """Whether the conf has a security context that switches it on (since 5.7 its mere presence does)."""
        security = self.conf.child("security")
        return security is not None and security.get("enable-security", "true") == "true"

    @property
    def work_directory(self) -> str:
        """Where the SMD files are."""
        service = self.conf.child("service")
        return (service.get("work-directory") if service else None) or DEFAULT_WORK_DIRECTORY

    @property
    def first_route(self) -> Route:
        """The way that the conf shows."""
        files = tls_files(self._network, self._service) if self.tls_only else None
        return Route(self.address, self.port, files)

    def namespace_conf(self, name: str) -> Optional[Context]:
        """Give the conf's part about a namespace."""
        return self.conf.child("namespace", name)

    def connect(self) -> InfoConnection:
        """Open an info connection, or end the verb with a refusal that says why there is none."""
        if self.pid is None:
            raise NotNowError("asd_not_running", "no process named asd on this host")
        if self.security_in_conf:
            return self._log_in("the conf says so")
        if self.route.tls is not None and not is_usable(self.route.tls):
            detail = "the server offers TLS only, and its conf names no certificate that can be read here"
            raise RefusalError("tls_unreadable", detail)
        connection = self.route.connection()
        try:
            connection.open()
            connection.ask("build")
        except InfoError as error:
            connection.close()
            if is_security_error(str(error)):
                return self._log_in(str(error))
            raise refuse(error) from error
        except InfoSilenceError as error:
            raise refuse(error) from error
        return connection

    def _log_in(self, why: str) -> InfoConnection:
        """Ask through the host's own asinfo.

        Raises:
            RefusalError: ``security_enabled``: no credentials here, or wrong ones.

        """
        if not has_credentials_file(self.tree):
            raise RefusalError("security_enabled", f"the server wants a login ({why}): {CREDENTIALS}")
        self.route = Route(self.address, self.port, astools=self.tree.path(ASTOOLS))
        connection = self.route.connection()
        try:
            connection.open()
            connection.ask("build")
        except (InfoError, InfoSilenceError) as error:
            connection.close()
            raise RefusalError("security_enabled", f"asinfo could not log in ({error}): {CREDENTIALS}") from error
        return connection

    def still_runs(self) -> bool:
        """Whether the process found at the beginning is there still."""
        return self.pid is not None and os.path.isdir(self.tree.path("proc", str(self.pid)))


def has_credentials_file(tree: Tree) -> bool:
    """Whether the tools' own configuration is there and nobody but root can read it."""
    try:
        status = os.stat(tree.path(ASTOOLS))
    except OSError:
        return False
    return not status.st_mode & 0o077 and status.st_uid in (0, os.geteuid())


def asd_processes(tree: Tree) -> List[Tuple[int, List[str]]]:
    """Find every process named asd, each with its arguments."""
    found = []
    for entry in tree.listdir("proc"):
        if not entry.isdecimal():
            continue
        arguments = (tree.read("proc", entry, "cmdline") or "").split("\0")
        if os.path.basename(arguments[0]) == "asd":
            found.append((int(entry), arguments))
    return found


def _find_process(tree: Tree) -> Tuple[Optional[int], List[str]]:
    found = asd_processes(tree)
    if len(found) > 1:
        pids = ", ".join(str(pid) for pid, _ in found)
        raise RefusalError("several_asd", f"more than one asd runs on this host (pids {pids}): one is expected")
    return found[0] if found else (None, [])


def _conf_argument(tree: Tree, pid: Optional[int], arguments: List[str]) -> Optional[str]:
    for index, argument in enumerate(arguments):
        value = None
        if argument in ("--config-file", "-f") and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith("--config-file="):
            value = argument.split("=", 1)[1]
        if value and not os.path.isabs(value) and pid is not None:
            return os.path.join(os.path.realpath(tree.path("proc", str(pid), "cwd")), value)
        if value:
            return value
    return None


def _lasting_conf(tree: Tree, started_with: Optional[str]) -> str:
    if started_with is not None and os.path.basename(started_with) != FIRST_START_CONF:
        return started_with
    command = exec_start(without_ours(read_fragments(tree)))
    return (conf_in(command) if command else None) or _conf_of_environment(tree) or tree.path(DEFAULT_CONF)


def _conf_of_environment(tree: Tree) -> Optional[str]:
    for environment_file in ENVIRONMENT_FILES:
        found = re.search(
            r"^\s*(?:export\s+)?ASD_CONFIG_FILE=[\"']?([^\"'\s]+)", tree.read(environment_file) or "", re.MULTILINE
        )
        if found:
            return found.group(1)
    return None


UNREACHABLE = frozenset({"security_enabled", "tls_unreadable"})
"""Why a server that runs can't be asked: survey tells it as a problem, other verbs refuse."""


def describe_asd(asd: Asd) -> Dict[str, Any]:
    """Shape ``asd`` of survey and health; a server that can't be asked is described by what its conf says."""
    service = asd.conf.child("service") or Context(())
    known: Dict[str, Any] = {
        "running": asd.pid is not None,
        "build": "",
        "edition": "",
        "node_id": (service.get("node-id") or "").upper(),
        "cluster_name": service.get("cluster-name"),
        "cluster_size": 0,
        "cluster_key": "",
        "uptime_s": 0,
        "conf_path": asd.conf_path,
        "work_directory": asd.work_directory,
        "address": asd.address,
        "port": asd.port,
        "peers": [],
        "migrations_remaining": 0,
        "security_enabled": asd.security_in_conf,
        "logs_in": False,
        "tls": asd.tls_only,
    }
    if asd.pid is None:
        return known
    try:
        connection = asd.connect()
    except RefusalError as refusal:
        if refusal.code not in UNREACHABLE:
            raise
        known["security_enabled"] = known["security_enabled"] or refusal.code == "security_enabled"
        return known
    known["logs_in"] = asd.route.astools is not None
    known["security_enabled"] = known["security_enabled"] or known["logs_in"]
    try:
        known.update(_ask_identity(connection))
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()
    return known


def _ask_identity(connection: InfoConnection) -> Dict[str, Any]:
    cluster = cluster_state(connection)
    name = connection.ask("cluster-name")
    service = connection.ask_pairs("get-config:context=service")
    identity: Dict[str, Any] = {
        "build": connection.ask("build"),
        "edition": "enterprise" if "enterprise" in connection.ask("edition").lower() else "community",
        "node_id": connection.ask("node"),
        "cluster_name": None if name in ("", "null") else name,
        "cluster_size": cluster["size"],
        "cluster_key": cluster["key"],
        "uptime_s": cluster["uptime_s"],
        "peers": cluster["peers"],
        "migrations_remaining": cluster["migrations_remaining"],
    }
    if service.get("work-directory"):
        identity["work_directory"] = service["work-directory"]
    return identity


def cluster_state(connection: InfoConnection, timeout_s: float = 3.0) -> Dict[str, Any]:
    """Ask what must not change around a cut: membership, uptime, migrations."""
    statistics = connection.ask_pairs("statistics", timeout_s)
    peers = _PEER.findall(connection.ask("peers-clear-std", timeout_s))
    return {
        "key": statistics.get("cluster_key", ""),
        "size": int(statistics.get("cluster_size", "0")),
        "uptime_s": int(statistics.get("uptime", "0")),
        "peers": sorted(peer.upper() for peer in peers),
        "migrations_remaining": int(statistics.get("migrate_partitions_remaining", "0")),
    }
