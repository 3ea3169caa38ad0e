"""Two peers' orders of work on the same latencies and quotas; they prove nothing, so only their time is modelled."""

import random
from collections.abc import Callable

from sandbox.region.throttles import WIDE
from tests.bench.model.calibration import Calibration
from tests.bench.model.virtual_cluster import CREATE_SNAPSHOTS, SSM_DELIVERY, VOLUMES
from tests.bench.model.virtual_time import VirtualTime

Order = Callable[[int], float]


class Peers:
    """One draw of everything, for one seed."""

    def __init__(self, *, seed: int, calibration: Calibration) -> None:
        self._clock, self._calibration = VirtualTime(), calibration
        self._chance = random.Random(f"{seed}/peers")  # noqa: S311 - a seed makes runs alike
        self._tokens, self._refilled_s = WIDE.capacity, 0.0
        self._stopped: list[float] = []
        self._flowing: list[float] = []

    def serial(self, nodes: int) -> float:
        """Freeze everywhere by a command; one CreateSnapshot per volume, a node's one after another; thaw by a command.

        That is the order of ec2-consistent-snapshot and of Barman's snapshot backup (there without a freeze), here at
        its best: on all nodes at once, and the commands as quick as Run Command delivers them.
        """

        def node() -> None:
            for _ in range(VOLUMES):
                self._snapshot()

        self._everywhere(nodes, self._freeze)
        self._everywhere(nodes, node)
        self._everywhere(nodes, self._thaw)
        return self._length_s()

    def per_instance(self, nodes: int) -> float:
        """Each instance for itself: pre-script by a command, CreateSnapshots, post-script by a command.

        That is the order of Data Lifecycle Manager and of AWS Backup, all instances at once.
        """

        def node() -> None:
            self._freeze()
            self._snapshot()
            self._thaw()

        self._everywhere(nodes, node)
        return self._length_s()

    def _length_s(self) -> float:
        """From the first freeze on any node to the last thaw on any node."""
        return max(self._flowing) - min(self._stopped)

    def _everywhere(self, nodes: int, act: Callable[[], None]) -> None:
        for _ in range(nodes):
            self._clock.spawn(act)
        self._clock.run()

    def _freeze(self) -> None:
        self._clock.sleep(SSM_DELIVERY.draw(self._chance))
        self._stopped.append(self._clock.monotonic())
        self._clock.sleep(self._calibration.freeze.draw(self._chance))

    def _thaw(self) -> None:
        self._clock.sleep(SSM_DELIVERY.draw(self._chance) + self._calibration.thaw.draw(self._chance))
        self._flowing.append(self._clock.monotonic())

    def _snapshot(self) -> None:
        """CreateSnapshot and CreateSnapshots have a bucket each, of the same size."""
        now_s = self._clock.monotonic()
        self._tokens = min(WIDE.capacity, self._tokens + (now_s - self._refilled_s) * WIDE.refill_per_s) - 1
        self._refilled_s = now_s
        # Whoever finds no token waits for its own: the kindest way to try again.
        self._clock.sleep(max(0.0, -self._tokens) / WIDE.refill_per_s + CREATE_SNAPSHOTS.draw(self._chance))
