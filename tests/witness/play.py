"""Play one run: a whole backup under a live writer while a plan breaks it, and what the witness says of the point."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerokeep.model.recovery_point import Manifest

from sandbox.faults import armed
from sandbox.writer import Writer
from tests.estate import GUARDIAN, Execution
from tests.witness.drawing import Drawn
from tests.witness.judging import Judgement, judge
from tests.witness.lane import Lane

CLOCK_SEEN_S = 2.0
"""From a change of a node's clock until all its processes have seen it."""
SINCE_CUT_S = 0.7
"""Writes from after the cut, which the point must not hold."""
LEASES_OVER_S = 90.0
POLL_S = 0.2
UNGUARDED = "false"


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    drawn: Drawn
    label: str
    """Of the point, or ``aborted``."""
    reasons: tuple[str, ...]
    write_stop_s: float | None
    judgement: Judgement | None
    struck: tuple[str, ...]
    left: tuple[str, ...]
    """Settings that the run has not put back."""
    seconds: float
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def refuted(self) -> bool:
        """The witness says otherwise than the label."""
        if self.judgement is None:
            return False
        match self.label:
            case "cluster":
                return self.judgement.refutes_cluster
            case "node":
                return self.judgement.refutes_node
            case _:
                return False

    @property
    def fault(self) -> str:
        """Why the run does not count as honest; empty if it does."""
        if self.refuted:
            return "MISLABELLED"
        if self.left:
            return f"LEFT {','.join(self.left)}"
        if self.judgement is not None and not self.judgement.proves:
            return "UNPROVEN (the witness wrote nothing before or after the cut)"
        return ""

    @property
    def line(self) -> str:
        """As the programme prints it."""
        found = self.judgement
        judged = f"lost={found.lost} after_cut={found.after_cut} holes={found.holes}" if found else "lost=- after_cut=-"
        stop = "-" if self.write_stop_s is None else f"{self.write_stop_s:.2f}"
        words = [f"seed={self.drawn.seed}", self.drawn.words, f"label={self.label}", judged, f"write_stop_s={stop}"]
        words.append(f"took_s={self.seconds:.0f}")
        if self.reasons:
            words.append(f'because="{self.reasons[0][:120]}"')
        return " ".join([*words, *([self.fault] if self.fault else [])])


Beside = Callable[[Lane, Writer], None]
"""What else is done while the backup runs."""


def play(lane: Lane, drawn: Drawn, *, name: str, beside: Beside | None = None) -> Outcome:
    """Play it."""
    began, site = time.monotonic(), lane.site
    before = lane.settings()
    lane.configure(shortfall="degrade", write_stop=_write_stop(drawn), **drawn.settings)
    lane.set_clocks(drawn.clocks)
    ledger = site.plane.workdir / f"{lane.name}-{name}.ledger"
    arn = site.arn_of("backup", f"{lane.name}-{name}")
    plan = drawn.plan
    time.sleep(CLOCK_SEEN_S)
    with lane.written_to(ledger, drawn.namespaces) as writer:
        writer.wait_for_load(0.0)
        with ExitStack() as stack:
            site_armed = armed(site.region, plan, cluster=lane.name, execution=arn, must_strike=False) if plan else None
            arms = stack.enter_context(site_armed or nullcontext())
            site.start("backup", f"{lane.name}-{name}", {"cluster": lane.name})
            if beside is not None:
                beside(lane, writer)
            ended = site.ended(arn)
            struck = tuple(arms.lines) if arms is not None else ()
        if ended.status != "SUCCEEDED":
            _see_to_it(lane, name)
        time.sleep(SINCE_CUT_S)
    lane.heal()
    left = _left(lane, before)
    manifest = _manifest(lane, arn)
    found = _judged(lane, manifest, ledger)
    evidence = _evidence(lane, manifest)
    _forget(lane, manifest, ledger)
    return Outcome(
        drawn=drawn,
        label=str(manifest.label.consistency) if manifest else "aborted",
        reasons=manifest.label.reasons if manifest else (ended.cause or ended.error,),
        write_stop_s=manifest.label.write_stop_s if manifest else None,
        judgement=found,
        struck=struck,
        left=left,
        seconds=time.monotonic() - began,
        evidence=evidence,
    )


def _write_stop(drawn: Drawn) -> Mapping[str, float]:
    return {"lead_s": drawn.lead_s, "lease_s": drawn.lease_s, "budget_s": drawn.lease_s - 1.0}


def _see_to_it(lane: Lane, name: str) -> Execution:
    """Let the guardian have its round at once."""
    lane.site.let_busy_time_pass(lane.name)
    return lane.site.run(GUARDIAN, f"{lane.name}-{name}-round", {"cluster": lane.name})


def _left(lane: Lane, before: Mapping[str, str]) -> tuple[str, ...]:
    """Settings that are not as they were when every lease is long over."""
    give_up = time.monotonic() + LEASES_OVER_S
    while True:
        now = lane.settings()
        # A server that was restarted has the settings of its conf, which are those of before but for a test's own.
        left = tuple(key for key, value in now.items() if value != before[key] and key.endswith("writes"))
        if not left or time.monotonic() > give_up:
            return left
        time.sleep(POLL_S)


def _manifest(lane: Lane, arn: str) -> Manifest | None:
    """The point that an execution has committed."""
    keys = [key for key in lane.site.sizes(f"clusters/{lane.name}/points/") if key.endswith("/manifest.json")]
    told = lane.site.json(max(keys)) if keys else {}
    mine = told.get("execution") == arn and told.get("state") == "committed"
    return Manifest.model_validate(told) if mine else None


def _judged(lane: Lane, manifest: Manifest | None, ledger: Path) -> Judgement | None:
    if manifest is None:
        return None
    site = lane.site
    return judge(site.plane, manifest, ledger=ledger, size_of=site.region.pace.gib_bytes, addresses_from=lane.copies_at)


def _evidence(lane: Lane, manifest: Manifest | None) -> Mapping[str, Any]:
    return lane.site.json(manifest.evidence_key)["evidence"] if manifest else {}


def _forget(lane: Lane, manifest: Manifest | None, ledger: Path) -> None:
    """Keep the region small: what has been judged goes."""
    ledger.unlink()
    ec2 = lane.site.region.client("ec2")
    for snapshot in manifest.snapshots if manifest else ():
        ec2.delete_snapshot(SnapshotId=snapshot.id)
