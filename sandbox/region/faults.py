"""The seam through which tests make API calls fail, linger, or lose their answer."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any


class ApiError(Exception):
    """An AWS error to answer with instead of the call's own result."""

    def __init__(self, code: str, message: str = "", *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class LostResponseError(Exception):
    """Drop the connection: the caller never learns what became of its call."""


@dataclass(frozen=True)
class ApiCall:
    """One request, as a fault or a recorder sees it; action and parameters are parsed when asked for."""

    service: str
    """The service's signing name: ``ec2``, ``ssm``, ``s3``, ``states`` …"""
    caller: str
    """The role (or ``operator``) whose credentials signed the request."""
    parse: Callable[[], tuple[str, Mapping[str, Any]]]
    session: str = ""
    """The session token that came with the credentials: of a Lambda, which instance calls."""

    @cached_property
    def _parsed(self) -> tuple[str, Mapping[str, Any]]:
        return self.parse()

    @property
    def action(self) -> str:
        """The operation's name (``CreateSnapshots``), empty if it is none that botocore knows."""
        return self._parsed[0]

    @property
    def params(self) -> Mapping[str, Any]:
        """The request's parameters, spelled as in the API reference."""
        return self._parsed[1]


Witness = Callable[[ApiCall], None]


class Faults:
    """Callables asked before and after each call.

    They may sleep, raise `ApiError` (before: the call does not happen; after: it did, and its answer is replaced) or
    raise `LostResponseError`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: list[Witness] = []
        self._after: list[Witness] = []

    @property
    def idle(self) -> bool:
        """Nobody asks to see calls."""
        return not self._before and not self._after

    def before(self, witness: Witness) -> None:
        """Ask `witness` before each call, until `clear`."""
        with self._lock:
            self._before.append(witness)

    def after(self, witness: Witness) -> None:
        """Ask `witness` after each call has taken effect, until `clear`."""
        with self._lock:
            self._after.append(witness)

    @contextmanager
    def during(self, *, before: Witness | None = None, after: Witness | None = None) -> Iterator[None]:
        """Ask only within the block."""
        pairs = [(self._before, before), (self._after, after)]
        with self._lock:
            for witnesses, witness in pairs:
                if witness:
                    witnesses.append(witness)
        try:
            yield
        finally:
            with self._lock:
                for witnesses, witness in pairs:
                    if witness:
                        witnesses.remove(witness)

    def clear(self) -> None:
        """Forget every witness."""
        with self._lock:
            self._before.clear()
            self._after.clear()

    def ask_before(self, call: ApiCall) -> None:
        """Called by the endpoint."""
        for witness in tuple(self._before):
            witness(call)

    def ask_after(self, call: ApiCall) -> None:
        """Called by the endpoint."""
        for witness in tuple(self._after):
            witness(call)
