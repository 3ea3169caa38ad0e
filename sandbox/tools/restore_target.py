"""Where asrestore puts what it reads: into the database, or nowhere, to see whether it can be read."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox.tools.restore_writer import Writer
from sandbox.tools.server import Server
from sandbox.tools.values import UnknownValueError
from sandbox.tools.words import FailedError, err, inf

if TYPE_CHECKING:
    import argparse

    from aerokeep_node.formats.asb import Index, Record, Udf

_TYPES = {"N": "numeric", "S": "string", "G": "geo2dsphere", "B": "blob"}
_INDEX_TYPES = {"N": "default", "L": "list", "K": "mapkeys", "V": "mapvalues"}


class Target(Protocol):
    """What becomes of an export's entries."""

    counts: Counter[str]
    stop: threading.Event
    indexes: int
    udfs: int

    @property
    def retries(self) -> int:
        """Batches that were written again."""

    def index(self, index: Index) -> None:
        """Take a secondary index."""

    def udf(self, module: Udf) -> None:
        """Take a UDF module."""

    def record(self, record: Record) -> None:
        """Take a record."""

    def finish(self, *, whole: bool) -> None:
        """Do what is left; ``whole`` is whether everything was read."""


class Nothing:
    """Validation: entries are counted and forgotten."""

    retries = 0

    def __init__(self) -> None:
        """Begin to count."""
        self.counts: Counter[str] = Counter()
        self.stop = threading.Event()
        self.indexes = self.udfs = 0

    def index(self, _: Index) -> None:
        """Count it."""
        self.indexes += 1

    def udf(self, _: Udf) -> None:
        """Count it."""
        self.udfs += 1

    def record(self, _: Record) -> None:
        """Count it."""
        self.counts["records"] += 1

    def finish(self, *, whole: bool) -> None:
        """Say that it can be read."""
        if whole and not self.stop.is_set():
            inf(f"Validated {self.counts['records']} record(s)")


class Database:
    """The database."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Connect.

        Raises:
            FailedError: nobody answers.

        """
        self._args = args
        self._server = Server(args)
        self._writer = Writer(args, self._server)
        self._later: list[Index] = []
        self._matched = 0
        self.counts, self.stop = self._writer.counts, self._writer.stop
        self.indexes = self.udfs = 0

    @property
    def retries(self) -> int:
        """Batches that were written again."""
        return self._writer.retries

    def _target(self, namespace: str) -> str:
        return str(self._args.namespace[1]) if len(self._args.namespace) > 1 else namespace

    def index(self, index: Index) -> None:
        """Create it, now or at the end.

        Raises:
            FailedError: the server refuses.

        """
        if self._args.no_indexes or (self._args.set_list and index.set_name not in self._args.set_list):
            return
        index = index._replace(namespace=self._target(index.namespace))
        if self._args.indexes_last:
            self._later.append(index)
        else:
            self._create(index)

    def _create(self, index: Index) -> None:
        known = {found.name: found for found in self._server.indexes(index.namespace)}.get(index.name)
        if known == index:
            self._matched += 1
            return
        where = f"sindex-delete:namespace={index.namespace};indexname={index.name}"
        if known is not None and self._server.info(where).lower() != "ok":
            raise FailedError(f"Error while removing index {index.namespace}:{index.name}")
        set_part = f"set={index.set_name};" if index.set_name else ""
        context = f"context={index.context};" if index.context else ""
        answer = self._server.info(
            f"sindex-create:namespace={index.namespace};{set_part}indexname={index.name};{context}"
            f"bin={index.path};type={_TYPES[index.path_kind]};indextype={_INDEX_TYPES[index.kind]}"
        )
        if answer.lower() != "ok":
            name = f"{index.namespace}:{index.set_name}:{index.name} ({index.path})"
            raise FailedError(f"Error while creating index {name} - {answer}")
        self.indexes += 1

    def udf(self, module: Udf) -> None:
        """Put it.

        Raises:
            FailedError: the server refuses.

        """
        if self._args.no_udfs:
            return
        content = base64.b64encode(module.content).decode()
        size = len(module.content)
        answer = self._server.info(f"udf-put:filename={module.name};content={content};content-len={size};udf-type=LUA;")
        if answer.lower() not in ("", "ok"):
            raise FailedError(f"Error while putting UDF file {Path(module.name).name} - {answer}")
        self.udfs += 1

    def record(self, record: Record) -> None:
        """Write it.

        Raises:
            FailedError: the client can't.

        """
        try:
            self._writer.take(record, self._target(record.namespace))
        except UnknownValueError as error:
            raise FailedError(f"Error while restoring a record: {error}") from error

    def finish(self, *, whole: bool) -> None:
        """Write what is on its way, then the indexes that come last."""
        self._writer.close()
        if whole and not self.stop.is_set():
            try:
                for index in self._later:
                    self._create(index)
            except FailedError as error:
                err(str(error))
                self.stop.set()
        if self._matched:
            inf(f"Skipped {self._matched} matched index(es)")
