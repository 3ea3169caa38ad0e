"""Find what runs have left behind, with all that has to be known before any of it may go."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from pydantic import ValidationError

from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.errors import known
from aerokeep.aws.interfaces import Interfaces
from aerokeep.aws.vault import Inventories, Points, Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import AerokeepError, TransientError
from aerokeep.model.execution import Life
from aerokeep.model.inventory import Inventory
from aerokeep.model.orphan import Candidate, ClusterFacts, Kind, Orphan, RunFacts
from aerokeep.model.recovery_point import Abandonment, Manifest
from aerokeep.model.run import LockState, RunRef
from aerokeep.model.wire import HostWire
from aerokeep.rules.orphans import judge
from aerokeep.steps.shared.holders import Holders
from aerokeep.steps.shared.marks import marked
from aerokeep.steps.shared.swapping import SUPERSEDED

CLUSTER, RUN, POINT, ROLLED_BACK = "aerokeep:cluster", "aerokeep:run", "aerokeep:point", "aerokeep:rolled-back"
ON_A_LANE_OF_ITS_OWN = "export"
"""Exports hold a lock of their own, and touch neither volumes nor interfaces."""
_RUN_ID = re.compile(r"^[a-z][a-z0-9-]{0,59}-(\d{8}T\d{6}Z)$")


class _Written(HostWire):
    """Any object; only that it is there matters."""


@dataclass
class _Named:
    """What manifests and inventories name."""

    snapshots: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)
    interfaces: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)

    def by_manifest(self, standing: Manifest | Abandonment) -> None:
        if isinstance(standing, Manifest):
            self.snapshots |= {snapshot.id for snapshot in standing.snapshots}
            for cut in standing.cuts:
                self.snapshots |= {*cut.snapshots.values()}
                self.volumes |= {*cut.snapshots}
            self.by_inventory(standing.inventory)

    def by_inventory(self, inventory: Inventory | None) -> None:
        for node in inventory.nodes if inventory is not None else ():
            self.volumes |= {volume.volume_id for volume in node.volumes}
            self.interfaces.add(node.network_interface_id)
            self.addresses.add(node.private_ip)


@dataclass(frozen=True)
class OrphanSearch:
    """A collaborator: looks at everything that carries the tag of a run, and changes nothing."""

    snapshots: Snapshots
    volumes: Volumes
    interfaces: Interfaces
    points: Points
    runs: Runs
    inventories: Inventories
    holders: Holders

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            snapshots=Snapshots.from_environment(),
            volumes=Volumes.from_environment(),
            interfaces=Interfaces.from_environment(),
            points=Points.from_environment(),
            runs=Runs.from_environment(),
            inventories=Inventories.from_environment(),
            holders=Holders.from_environment(),
        )

    def judged(self, clusters: Iterable[str]) -> Iterator[Orphan]:
        """Everything that a run of these clusters has made, with its verdict."""
        wanted = set(clusters)
        found = [candidate for candidate in self._candidates() if candidate.cluster in wanted]
        for cluster in sorted({candidate.cluster for candidate in found}):
            ours = [candidate for candidate in found if candidate.cluster == cluster]
            locks = self.holders.of_cluster(cluster)
            facts = self._cluster_facts(cluster, locks)
            of_runs: dict[str, RunFacts] = {}
            for candidate in ours:
                run_id = candidate.run_id
                if run_id not in of_runs:
                    of_runs[run_id] = self._run_facts(cluster, run_id, locks)
                yield judge(candidate, of_runs[run_id], facts, now=self.holders.clock())

    def _candidates(self) -> Iterator[Candidate]:
        snapshots = self.snapshots.of_any_run()
        locked = self.snapshots.locked() if snapshots else set()
        for snapshot in snapshots:
            tags = snapshot.tags
            yield _candidate(Kind.SNAPSHOT, snapshot.id, tags, locked=snapshot.id in locked, point_id=tags.get(POINT))
        for volume in self.volumes.of_any_run().values():
            in_use = None if volume.state == "available" and volume.attachment is None else volume.state
            yield _candidate(
                Kind.VOLUME,
                volume.volume_id,
                volume.tags,
                in_use=in_use,
                put_aside=bool({SUPERSEDED, ROLLED_BACK} & volume.tags.keys()),
                source_snapshot=volume.snapshot_id,
            )
        for interface in self.interfaces.of_any_run():
            free = interface.status == "available" and interface.instance_id is None
            yield _candidate(
                Kind.INTERFACE,
                interface.interface_id,
                interface.tags,
                in_use=None if free else interface.status,
                private_ip=interface.private_ip,
            )

    def _cluster_facts(self, cluster: str, locks: list[LockState]) -> ClusterFacts:
        named = _Named()
        try:
            with known():
                for standing in self.points.of_cluster(cluster):  # one by one: together they may be large
                    named.by_manifest(standing)
                inventory = self.inventories.newest(cluster)
        except TransientError:
            raise
        except (AerokeepError, ValidationError) as error:
            return ClusterFacts(unreadable=str(error)[:300])
        named.by_inventory(inventory)
        return ClusterFacts(
            lock_free=not any(lock.run.journey != ON_A_LANE_OF_ITS_OWN for lock in locks),
            snapshots=frozenset(named.snapshots),
            volumes=frozenset(named.volumes),
            interfaces=frozenset(named.interfaces),
            addresses=frozenset(named.addresses),
            has_inventory=inventory is not None,
        )

    def _run_facts(self, cluster: str, run_id: str, locks: list[LockState]) -> RunFacts:
        run = run_of(cluster, run_id)
        holds = any(lock.run.run_id == run_id for lock in locks)
        if run is None:
            return RunFacts(
                begun_at=None, holds_lock=holds, execution_ended=None, entry=None, manifest=None, server_started=None
            )
        entry = self.holders.catalog.entry(run) or {}
        execution = entry.get("execution")
        ended = None if execution is None else self.holders.executions.of_arn(execution).life is not Life.RUNNING
        return RunFacts(
            begun_at=run.started_at,
            holds_lock=holds,
            execution_ended=ended,
            entry=entry.get("state"),
            manifest=self._manifest_state(run),
            server_started=self._server_started(run),
        )

    def _manifest_state(self, run: RunRef) -> str | None:
        """One that can't be read makes its whole cluster unreadable, and is looked at there."""
        try:
            with known():
                standing = self.points.standing(run)
        except TransientError:
            raise
        except (AerokeepError, ValidationError):
            return "committed"
        return None if standing is None else standing.state

    def _server_started(self, run: RunRef) -> bool | None:
        try:
            with known():
                if self.runs.find(run, "order", _Written) is None:
                    return None
                return marked(self.runs, run, "starting")
        except TransientError:
            raise
        except (AerokeepError, ValidationError):
            return None


def run_of(cluster: str, run_id: str) -> RunRef | None:
    """The run of an id, as far as it matters here; None where it can be no run's."""
    found = _RUN_ID.fullmatch(run_id)
    if found is None or not run_id.startswith(f"{cluster}-"):
        return None
    begun_at = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return RunRef(cluster=cluster, journey="backup", run_id=run_id, epoch=0, execution="", started_at=begun_at)


def _candidate(kind: Kind, id_: str, tags: dict[str, str], **known_of_it: object) -> Candidate:
    told = {"kind": kind, "id": id_, "cluster": tags.get(CLUSTER, ""), "run_id": tags.get(RUN, ""), **known_of_it}
    return Candidate.model_validate(told)
