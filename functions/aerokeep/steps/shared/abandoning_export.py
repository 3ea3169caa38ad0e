"""Give an export up for good: the one way for its own clean-up and for the guardian."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.exports import Exports
from aerokeep.aws.ssm import CommandState, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import AerokeepError, TransientError
from aerokeep.model.export import ExportAbandonment, ExportManifest
from aerokeep.model.plan import BackupPlan, Window
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire, iso
from aerokeep.steps.shared.abandoning import LONGEST_REASON
from aerokeep.steps.shared.releasing import release
from aerokeep.steps.shared.resuming import resume_writes
from aerokeep.steps.shared.transferring import Transferrer
from aerokeep.steps.step import Clock, logger

POLL_S = 0.5
CONFIRM_S = 12
"""So long answers are waited for: a host that gives none ends its job by itself; its objects are collected later."""


class AbandonedExport(Wire):
    """What was undone."""

    committed: bool
    """True: the export had been committed before; it stays."""
    unheard: tuple[str, ...]
    """Instances that did not confirm that no job of this run lives there."""
    deleted: int
    """Objects, versions and unfinished uploads."""
    released: bool
    """False: the lock was another's by then."""

    @property
    def words(self) -> str:
        """In a line."""
        words = ["the export was committed and stays" if self.committed else "the export was abandoned"]
        if self.deleted:
            words.append(f"{self.deleted} objects deleted")
        if self.unheard:
            words.append(f"not confirmed by {', '.join(self.unheard)}: the job there ends by itself")
        words.append("lock released" if self.released else "the lock was taken meanwhile")
        return "; ".join(words)


def enter(run: RunRef, manifest: ExportManifest, catalog: Catalog) -> None:
    """List a committed export in the catalog."""
    catalog.record(
        run,
        state="committed",
        details={
            "committed_at": iso(manifest.committed_at),
            "records": str(manifest.records),
            "sindexes": str(manifest.sindexes),
            "udfs": str(manifest.udf_count),
            "stored_bytes": str(manifest.stored_bytes),
        },
    )


@dataclass(frozen=True)
class ExportAbandoner:
    """All that giving up needs; a collaborator of the steps that do it."""

    runs: Runs
    exports: Exports
    catalog: Catalog
    hosts: Hosts
    transferrer: Transferrer
    clock: Clock

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(
            runs=Runs.from_environment(),
            exports=Exports.from_environment(),
            catalog=Catalog.from_environment(),
            hosts=Hosts.from_environment(),
            transferrer=Transferrer.from_environment(),
            clock=Clock.from_environment(),
        )

    def abandon(self, held: RunRef, *, reason: str) -> AbandonedExport:
        """Writes first, then jobs, the export and the lock; every part can be done twice."""
        self._resume(held)
        unheard = self._cancel(held)
        reason = reason[:LONGEST_REASON]
        standing = self.exports.settle(
            held,
            ExportAbandonment(
                export_id=held.run_id, execution=held.execution, abandoned_at=self.clock(), reason=reason
            ),
        )
        committed = isinstance(standing, ExportManifest)
        deleted = 0 if committed else self.exports.collect(held.cluster, held.run_id)
        if isinstance(standing, ExportManifest):
            enter(held, standing, self.catalog)  # it may have died between manifest and index
        else:
            self.catalog.record(held, state="abandoned", details={"reason": reason})
        return AbandonedExport(
            committed=committed, unheard=unheard, deleted=deleted, released=release(held, self.catalog)
        )

    def _resume(self, run: RunRef) -> None:
        """An exact export has a guard set; every host that had the order is told to lift it."""
        window, plan = self.runs.find(run, "window", Window), self.runs.find(run, "guard", BackupPlan)
        if window is None or plan is None:
            return
        until = self.clock() + timedelta(seconds=CONFIRM_S)
        try:
            resume_writes(run, plan, until=until, hosts=self.hosts, clock=self.clock, tombstone=True)
        except TransientError:
            raise  # worth another try before anything else is done
        except AerokeepError as error:
            logger.exception("hosts could not be told to resume", reason=str(error))

    def _cancel(self, run: RunRef) -> tuple[str, ...]:
        runners = self.transferrer.ordered_from(run)
        if not runners:
            return ()
        try:
            commands = self.transferrer.cancel(run, runners)
            return self._unconfirmed(commands, runners)
        except TransientError:
            raise
        except AerokeepError as error:
            # A job that nobody asks after ends by itself; that its host can't be told must not keep the lock.
            logger.exception("jobs could not be cancelled", reason=str(error))
            return tuple(sorted(runners))

    def _unconfirmed(self, commands: list[str], runners: set[str]) -> tuple[str, ...]:
        until = self.clock() + timedelta(seconds=CONFIRM_S)
        while True:
            replies = self.hosts.replies(commands, runners)
            if all(reply.state is not CommandState.RUNNING for reply in replies.values()) or self.clock() >= until:
                break
            time.sleep(POLL_S)
        ended = {i for i, reply in replies.items() if reply.refusal is None and reply.body.get("state") != "running"}
        return tuple(sorted(runners - ended))
