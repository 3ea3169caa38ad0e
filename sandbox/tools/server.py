"""The database as both tools see it: the official client, and what they ask by info commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aerokeep_node.formats.asb import Index, Udf

from sandbox.tools.options import seeds
from sandbox.tools.words import FailedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

_PATH_KINDS = {"numeric": "N", "string": "S", "geo2dsphere": "G", "blob": "B"}
_INDEX_KINDS = {"default": "N", "list": "L", "mapkeys": "K", "mapvalues": "V"}
_NULL = ("null", "NULL", "")
_TIMEOUT_MS = 10_000


def explained(error: Exception) -> str:
    """Say what the client said."""
    return f"code {getattr(error, 'code', '?')}: {getattr(error, 'msg', error)}"


class Server:
    """A connected client. Whatever it raises leaves here as `FailedError`, but for records' own results."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Connect.

        Raises:
            FailedError: nobody answers.

        """
        import aerospike  # noqa: PLC0415 - so that a tool says its version at once
        from aerospike import exception  # noqa: PLC0415 - the same

        self.errors: type[Exception] = exception.AerospikeError
        config = {"hosts": seeds(args), "use_services_alternate": args.services_alternate}
        try:
            self.client: Any = aerospike.client(config).connect()
        except self.errors as error:
            raise FailedError(f"Error while connecting to host {args.host} - {explained(error)}") from error

    def info(self, command: str) -> str:
        """Ask any node."""
        try:
            reply = self.client.info_random_node(command, {"timeout": _TIMEOUT_MS})
        except self.errors as error:
            raise FailedError(f"Error while asking for {command} - {explained(error)}") from error
        return str(reply).partition("\t")[2].strip()

    def info_of_all(self, command: str) -> list[dict[str, str]]:
        """Ask all nodes; replies of ``a=b;c=d``."""
        try:
            replies = self.client.info_all(command, {"timeout": _TIMEOUT_MS})
        except self.errors as error:
            raise FailedError(f"Error while asking for {command} - {explained(error)}") from error
        return [_pairs(str(text).rpartition("\t")[2].strip(), ";") for failed, text in replies.values() if not failed]

    def records(self, namespace: str, sets: Iterable[str]) -> int:
        """Estimate how many records there are.

        Raises:
            FailedError: no node has the namespace.

        """
        nodes = [pairs for pairs in self.info_of_all(f"namespace/{namespace}") if "master_objects" in pairs]
        if not nodes:
            raise FailedError(f"Unknown namespace {namespace}")
        if not sets:
            return sum(int(pairs["master_objects"]) for pairs in nodes)
        copies = max(1, int(nodes[0].get("effective_replication_factor", "1")))
        found = [pairs for name in sets for pairs in self.sets(namespace, name)]
        return sum(int(pairs.get("objects", 0)) for pairs in found) // copies

    def sets(self, namespace: str, name: str) -> list[dict[str, str]]:
        """Ask all nodes about a set."""
        replies = self.client.info_all(f"sets/{namespace}/{name}", {"timeout": _TIMEOUT_MS})
        return [_pairs(str(text).rpartition("\t")[2].strip().rstrip(";"), ":") for _, text in replies.values()]

    def indexes(self, namespace: str) -> list[Index]:
        """List secondary indexes.

        Raises:
            FailedError: one is of a kind that the text format doesn't know.

        """
        listed = self.info(f"sindex-list:ns={namespace};b64=true").rstrip(";")
        return [_index(_pairs(text, ":")) for text in listed.split(";") if text]

    def udfs(self) -> list[Udf]:
        """Fetch all UDF modules."""
        try:
            listed = [str(found["name"]) for found in self.client.udf_list({"timeout": _TIMEOUT_MS})]
            return [Udf(name, str(self.client.udf_get(name)).encode()) for name in listed]
        except self.errors as error:
            raise FailedError(f"Error while fetching UDF files - {explained(error)}") from error

    def close(self) -> None:
        """Hang up."""
        self.client.close()


def _pairs(text: str, separator: str) -> dict[str, str]:
    return dict(pair.partition("=")[::2] for pair in text.split(separator) if pair)


def _index(pairs: Mapping[str, str]) -> Index:
    try:
        path_kind, kind = _PATH_KINDS[pairs["type"]], _INDEX_KINDS[pairs.get("indextype", "default")]
        names = pairs["ns"], pairs["indexname"], pairs["bin"]
    except KeyError as error:
        raise FailedError(f"Error while parsing secondary index info string: {dict(pairs)}") from error
    if pairs.get("exp", "null") not in _NULL:
        raise FailedError(f"Index {names[1]} is on an expression, which this stand-in does not simulate")
    set_name = "" if pairs.get("set") in (None, *_NULL) else pairs["set"]
    context = "" if pairs.get("context") in (None, *_NULL) else pairs["context"]
    return Index(names[0], set_name, names[1], kind, names[2], path_kind, context)
