"""Keeps what IAM would have been asked, call by call, in the moment of each call."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.region import ApiCall
from tests.permissions.requests import Request
from tests.permissions.rules import UnknownCallError, requests_of
from tests.permissions.world import World


@dataclass
class Asked:
    """Every distinct request, with the call that first led to it."""

    requests: dict[Request, str] = field(default_factory=dict)
    calls: int = 0
    unknown: set[str] = field(default_factory=set)
    """Calls that no rule knows."""


class PermissionRecorder:
    """Resolves calls before they happen: tags and attachments are those that IAM would have seen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()

    @contextmanager
    def recording(self) -> Iterator[Asked]:
        """Keep all that is asked within the block."""
        kept = Asked()

        def witness(call: ApiCall) -> None:
            try:
                found = list(requests_of(self._world, call))
            except UnknownCallError as error:
                with self._lock:
                    kept.unknown.add(str(error))
                return
            with self._lock:
                kept.calls += bool(found)
                for request in found:
                    kept.requests.setdefault(request, f"{call.service}.{call.action}")

        with self._world.region.faults.during(before=witness):
            yield kept
