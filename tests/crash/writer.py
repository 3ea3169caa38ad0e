"""Write to a light cluster all the while, and know what was acknowledged when."""

import time
from dataclasses import replace
from threading import Event, Thread

from sandbox.light.launch import NAMESPACES, LightCluster

PAUSE_S = 0.02


class Writer:
    """A client whose every write adds a record to each namespace of the whole cluster, or is refused."""

    def __init__(self, cluster: LightCluster) -> None:
        self._cluster = cluster
        self._stopped = Event()
        self.acknowledged: list[tuple[float, int]] = []
        """(epoch seconds, records that a namespace had from then on)."""
        self._thread = Thread(target=self._write_on, name=f"writer-{cluster.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write no more."""
        self._stopped.set()
        self._thread.join()

    def bounds(self, first: float, last: float) -> tuple[int, int]:
        """(fewest, most) records that a copy may hold which was cut between two instants."""
        before = max((n for at, n in self.acknowledged if at <= first), default=0)
        until = max((n for at, n in self.acknowledged if at <= last), default=before)
        return before, until

    def _write_on(self) -> None:
        while not self._stopped.wait(PAUSE_S):
            self._write()

    def _write(self) -> None:
        with self._cluster.plane.lock:
            servers = self._cluster.servers()
            if any(ns.guarded for server in servers for ns in server.namespaces.values()):
                return
            records = 0
            for name in NAMESPACES:
                for server in servers:
                    held = server.data(name)
                    server.put(name, replace(held, records=held.records + 1))
                    records = held.records + 1
            self.acknowledged.append((time.time(), records))
