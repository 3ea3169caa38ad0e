"""State ``PlanRestore``: judge the point against AWS and the hosts, and fix in a plan what a run will do."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aerokeep.aerospike.smd import SINDEX, UDF, index_names, newest_holders, udf_names
from aerokeep.aws.ec2 import Snapshots
from aerokeep.aws.vault import Points, Runs
from aerokeep.aws.volumes import Volumes
from aerokeep.model.errors import CorruptError, RejectedError
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.recovery_point import Manifest
from aerokeep.model.restore import Expected, RestorePlan, RestoreRequest
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.restore_plan import Contents, Estate, judge_restore, plan_hash
from aerokeep.steps.restore.survey_cluster import Found, Surveys
from aerokeep.steps.shared.restoring import RestoreOrder, order_of
from aerokeep.steps.shared.resuming import Resumed
from aerokeep.steps.step import Clock, step

if TYPE_CHECKING:
    from aerokeep.model.files import VaultFile


class Output(Wire):
    """What a dry run shows; the whole plan stands in the vault."""

    plan: str
    """The hash by which a run names this plan."""
    point: str
    label: str
    live: bool
    nodes: int
    volumes: int
    new_gib: int
    notes: tuple[str, ...]


def run(request: RunRef, *, runs: Runs, points: Points, snapshots: Snapshots, volumes: Volumes, clock: Clock) -> Output:
    """Decide once: a run that goes on keeps its plan, since half of the estate may be changed by then.

    Raises:
        RejectedError: with every reason against it; or a live cluster without the plan's hash, or with another one.
        CorruptError: the vault does not hold what the manifest says.

    """
    known = runs.find(request, "plan", RestorePlan)
    if known is not None:
        return _shown(known)
    order = order_of(runs, request)
    manifest = _manifest(points, order.request)
    contents = _contents(points, manifest)
    verdict = judge_restore(
        manifest,
        config=order.config,
        estate=_estate(request, manifest, runs=runs, volumes=volumes),
        snapshots=snapshots.described(snapshot for cut in manifest.cuts for snapshot in cut.snapshots.values()),
        contents=contents,
        accept_label=order.request.accept_label,
        now=clock(),
    )
    if verdict.plan is None:
        raise RejectedError(verdict.message)
    _require_consent(order, verdict.plan)
    if not order.request.dry_run:
        runs.write(request, "plan", verdict.plan)
    return _shown(verdict.plan)


def _manifest(points: Points, request: RestoreRequest) -> Manifest:
    standing = points.find(request.cluster, request.point)
    if isinstance(standing, Manifest):
        return standing
    if standing is None:
        raise RejectedError(f"unknown_point: field 'point': the vault holds no {request.point} of {request.cluster}")
    raise RejectedError(f"point_abandoned: field 'point': {request.point} was given up: {standing.reason}")


def _require_consent(order: RestoreOrder, plan: RestorePlan) -> None:
    """Whoever stops a live cluster must have seen what will be done, and it must still be that."""
    named, found = order.request.plan, plan_hash(plan)
    if order.request.dry_run or named == found:
        return
    if named is not None:
        raise RejectedError(
            f"plan_changed: field 'plan': the plan is {found} now, not {named}: the point, the nodes or their volumes "
            "have changed: look at a new dry run"
        )
    if plan.live:
        raise RejectedError(
            f"plan_not_named: cluster {order.request.cluster} is live: look at a dry run "
            '("dry_run": true), then start again with the "plan" that it prints'
        )


def _contents(points: Points, manifest: Manifest) -> Contents:
    files: dict[tuple[str, str], VaultFile] = {}
    bodies: dict[str, dict[str, bytes]] = {}
    for node in manifest.files:
        for file in (file for file in node.files if "/smd/" in file.key):
            name = file.key.rpartition("/")[2]
            body = points.file(file.key)
            if body is None:
                raise CorruptError(f"file_missing: {file.key} is not in the vault")
            files[node.node_id, name] = file
            bodies.setdefault(node.node_id, {})[name] = body
    holders = newest_holders(bodies)
    chosen = {name: bodies[node_id][name] for name, node_id in holders.items()}
    return Contents(
        smd=tuple(files[node_id, name] for name, node_id in sorted(holders.items())),
        expected=_expected(points, manifest),
        indexes=tuple(sorted(index_names(chosen[SINDEX]))) if SINDEX in chosen else (),
        udfs=tuple(sorted(udf_names(chosen[UDF]))) if UDF in chosen else (),
    )


def _expected(points: Points, manifest: Manifest) -> tuple[Expected, ...]:
    """What the hosts counted under the guard, added up over the nodes; unknown where one did not."""
    body = points.file(manifest.evidence_key)
    evidence = Resumed.model_validate_json(body).evidence if body is not None else {}
    return tuple(_of_namespace(name, evidence, nodes=len(manifest.cuts)) for name in manifest.plan.namespaces)


def _of_namespace(name: str, evidence: Mapping[str, NodeEvidence], *, nodes: int) -> Expected:
    counts = [seen.namespaces[name].master_objects for seen in evidence.values() if name in seen.namespaces]
    known = [count for count in counts if count is not None]
    return Expected(namespace=name, master_objects=sum(known) if len(known) == nodes else None)


def _estate(request: RunRef, manifest: Manifest, *, runs: Runs, volumes: Volumes) -> Estate:
    found = runs.read(request, "found", Found)
    saved = [volume_id for cut in manifest.cuts for volume_id in cut.snapshots]
    types = {v.volume_type for n in manifest.inventory.nodes for v in n.volumes} if manifest.inventory else set()
    ids = [instance.instance_id for instance in found.instances]
    return Estate(
        instances=found.instances,
        surveys=runs.read(request, "surveys", Surveys).surveys,
        volumes=volumes.of_instances(ids) | volumes.described(saved),
        used_gib=volumes.used_gib(types),
    )


def _shown(plan: RestorePlan) -> Output:
    return Output(
        plan=plan_hash(plan),
        point=plan.point_id,
        label=plan.label,
        live=plan.live,
        nodes=len(plan.nodes),
        volumes=sum(len(node.volumes) for node in plan.nodes),
        new_gib=plan.new_gib,
        notes=plan.notes,
    )


handler = step(run)
