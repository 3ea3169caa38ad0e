"""``make demo FAULTS=…``: back up a live cluster while a fault plan breaks it, and say honestly what came of it."""

import json
import re
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aerokeep.model.recovery_point import Manifest

from sandbox.cluster import NAMESPACES, PORT, Cluster, Member
from sandbox.dataplane.plane import DataPlane
from sandbox.demo_estate import CLUSTER, PACE, DemoEstate, DemoFailedError, deployed, live_cluster, writing
from sandbox.faults import Armed, Plan, PlanError, RefusedFaultError, armed, read_plan
from sandbox.faults.planes import check
from sandbox.proof import Verdict, judge_live, prove
from sandbox.screen import message_of
from sandbox.writer import Writer

SETTLE_S = 150.0
"""How long what must be cleaned up may take: a dead run waits for the end of whatever Lambda may still act for it."""
POLL_S = 0.5
SINCE_CUT_S = 1.5
WRITE_STOP = {"lead_s": 24, "lease_s": 12, "budget_s": 10}
"""Room enough that on a busy machine nothing but the plan breaks a run."""
RECORDS = 300
"""Enough that every node is the master of some."""
REFUSED = 2
ABORTED = "aborted"
COMMITTED = "committed"
_CODE = re.compile(r"^[a-z][a-z0-9_]*(?=:)")


@dataclass(frozen=True)
class End:
    """How the run ended, and what it left."""

    outcome: str
    """A label, or ``aborted``."""
    reasons: tuple[str, ...]
    code: str
    """Why, in a word: the code of the failure, or ``-`` where there is nothing to explain."""
    verdict: Verdict
    writable: bool
    locked: bool
    leftovers: int
    manifest: Manifest | None
    mode: str
    """Of the data plane."""

    @property
    def keeps_its_word(self) -> bool:
        """What was promised is true: a label ``cluster`` is proven, and an abort has cost nobody a write."""
        verdict = self.verdict
        if self.outcome == "cluster":
            proven = verdict.lost == 0 and verdict.from_after_cut == 0 and verdict.raw["unexplained"] == 0
            return proven and verdict.before_cut > 0
        return self.outcome != ABORTED or verdict.lost == 0


def play(options: Namespace) -> int:
    """Play the plan → 0 only if the end is one that the plan calls honest, and nothing is left of the run."""
    try:
        plan = read_plan(options.faults)
        with deployed(options.mode, check=lambda plane: _check(plan, plane)) as estate:
            armed_plan, end = _break(estate, plan, rate=options.rate, load_s=options.load_s)
    except (PlanError, RefusedFaultError) as error:
        print(f"demo: {error}", flush=True)
        return REFUSED
    return _last_line(options.faults.stem, armed_plan, end)


def _check(plan: Plan, plane: DataPlane) -> None:
    check(plan, plane)
    if not plan.expect:
        raise RefusedFaultError("the plan has no `expect`: add the ends that are honest under it (docs/faults.md)")


def _break(estate: DemoEstate, plan: Plan, *, rate: int, load_s: float) -> tuple[Armed, End]:
    settings = {"write_stop": WRITE_STOP, **plan.settings.model_dump(mode="json", exclude_none=True)}
    estate.screen.heading(f"fault plan: {plan.title}")
    estate.screen.say(plan.why.strip())
    with (
        live_cluster(estate, **settings) as cluster,
        writing(estate, cluster, rate=rate) as writer,
    ):
        writer.wait_for_load(load_s)
        before = _snapshots(estate)  # those of the machine image, which are nobody's
        estate.screen.heading("backup, while the plan is armed")
        with armed(estate.region, plan, cluster=CLUSTER, must_strike=False) as arms:
            ended = _run(estate)
            time.sleep(SINCE_CUT_S)  # writes from after the cut, which the point must not hold
            manifest = _manifest(estate)
            kept = before | {i for cut in (manifest.cuts if manifest else ()) for i in cut.snapshots.values()}
            _wait_for(lambda: not _locked(estate) and not _snapshots(estate) - kept)
        estate.screen.heading("what struck")
        for line in arms.lines:
            estate.screen.say(f"  {line}")
        writable = _takes_writes(cluster)
        verdict = _judge(estate, cluster, writer, manifest)
        end = End(
            outcome=str(manifest.label.consistency) if manifest else ABORTED,
            reasons=manifest.label.reasons if manifest else (message_of(ended.get("cause", "")),),
            code=_code(ended) if manifest is None else "-",
            verdict=verdict,
            writable=writable,
            locked=_locked(estate),
            leftovers=len(_snapshots(estate) - kept),
            manifest=manifest,
            mode=estate.plane.mode,
        )
        _tell(estate, plan, ended, end)
        return arms, end


def _run(estate: DemoEstate) -> dict[str, Any]:
    arn = estate.start("backup", cluster=CLUSTER)
    try:
        estate.follow("backup", arn)
    except DemoFailedError as error:
        estate.screen.say(f"  {error}")
    ended: dict[str, Any] = estate.region.client("stepfunctions").describe_execution(executionArn=arn)
    return ended


def _code(ended: dict[str, Any]) -> str:
    found = _CODE.match(message_of(ended.get("cause", "")))
    return found[0] if found else str(ended.get("error", ended["status"]))


def _manifest(estate: DemoEstate) -> Manifest | None:
    """The committed point, if there is one: an abandoned one has its mark under the same key."""
    found = estate.vault.newest_commit(CLUSTER)
    return Manifest.model_validate(found) if found and found.get("state") == COMMITTED else None


def _snapshots(estate: DemoEstate) -> set[str]:
    """All snapshots but those of images: what protects a node's root outlives the run that has made it."""
    ec2 = estate.region.client("ec2")
    pages = ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"])
    found = {snapshot["SnapshotId"] for page in pages for snapshot in page["Snapshots"]}
    images = ec2.describe_images(Owners=["self"])["Images"]
    disks = [disk.get("Ebs", {}) for image in images for disk in image["BlockDeviceMappings"]]
    return found - {disk.get("SnapshotId") for disk in disks}


def _locked(estate: DemoEstate) -> bool:
    key = {"pk": {"S": f"cluster#{CLUSTER}"}, "sk": {"S": "lock"}}
    found = estate.region.client("dynamodb").get_item(TableName=estate.outputs["CatalogName"], Key=key)
    return found.get("Item", {}).get("state", {}).get("S") in ("held", "halted")


def _wait_for(settled: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SETTLE_S
    while not settled() and time.monotonic() < give_up:
        time.sleep(POLL_S)


def _takes_writes(cluster: Cluster) -> bool:
    """Whether a client's writes reach every node that serves."""
    try:
        for namespace in NAMESPACES:
            cluster.put(namespace, "after_faults", RECORDS)
    except RuntimeError:
        return False
    return True


def _judge(estate: DemoEstate, cluster: Cluster, writer: Writer, manifest: Manifest | None) -> Verdict:
    """Let the witness judge copies of the point; without a point, whether the cluster still has every write."""
    writer.stop()
    if manifest is not None:
        smd = estate.vault.smd(manifest)
        return prove(estate.plane, manifest, smd=smd, ledger=writer.ledger, size_of=PACE.gib_bytes)
    now = time.time()
    seeds = ",".join(f"{member.node.private_ip}:{PORT}" for member in _serving(cluster))
    return judge_live(estate.plane, seeds, writer.ledger, first_request_at=now, last_response_at=now)


def _serving(cluster: Cluster) -> list[Member]:
    """The members that have power, and whose server runs."""
    powered = [m for m in cluster.members.values() if cluster.region.mirror.is_on(m.node.instance_id)]
    return [member for member in powered if member.server.runs]


def _tell(estate: DemoEstate, plan: Plan, ended: dict[str, Any], end: End) -> None:
    screen = estate.screen
    screen.heading("what came of it")
    screen.say(f"the execution: {ended['status']}")
    if end.manifest is not None:
        screen.point(end.manifest, estate.vault.evidence(end.manifest))
    else:
        screen.say(f"no recovery point: {'; '.join(end.reasons)}")
    screen.say(f"honest under this plan: {' or '.join(str(expected) for expected in plan.expect)}")
    screen.proof(end.verdict)
    screen.say(f"writes are possible on all nodes that serve: {'yes' if end.writable else 'NO'}")
    screen.say(f"the cluster's lock: {'STILL HELD' if end.locked else 'free'}")
    screen.say(f"snapshots that belong to no point: {end.leftovers}")


def _last_line(name: str, arms: Armed, end: End) -> int:
    for tally in arms.idle:
        print(f"demo: {tally.lines[0]}")
    print(
        f"demo: faults={name} struck={arms.struck}/{len(arms.tallies)} outcome={end.outcome} reason={end.code} "
        f"lost={end.verdict.lost} writable={json.dumps(end.writable)} leftovers={end.leftovers}"
        + (" mode=directory" if end.mode == "directory" else ""),
        flush=True,
    )
    honest = any(e.outcome == end.outcome and e.code in (None, end.code) for e in arms.plan.expect)
    clean = end.writable and not end.locked and end.leftovers == 0
    return 0 if honest and clean and end.keeps_its_word and not arms.idle else 1
