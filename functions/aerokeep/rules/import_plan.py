"""May this export be written into this cluster, and how: judge it all at once, and fix it in a plan."""

import re
from collections.abc import Iterator

from aerokeep.model.cluster import DIRECTORY, ExportPolicy
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ExportedNamespace, ExportManifest
from aerokeep.model.import_ import ImportPlan, ImportRequest, Target, TargetsFound
from aerokeep.model.transfer import Runner
from aerokeep.model.transfer_order import Compression, Mode, PartOrder, WriteRule
from aerokeep.rules.export_plan import MIB, SPARE
from aerokeep.rules.runners import width

LEAST_AVAILABLE_PCT = 20
"""Below that a node nears its own stop-writes (5 % by default) while the import and its defragmentation go on."""
_VERSION = re.compile(r"\d+")


def plan_import(
    request: ImportRequest, policy: ExportPolicy, manifest: ExportManifest, found: TargetsFound
) -> ImportPlan:
    """Everything that would be written, and why it may be.

    Raises:
        RejectedError: with all reasons against it in one line.

    """
    wanted = wanted_of(request, manifest)
    targets = {target.namespace: target for target in found.targets}
    runners = tuple(runner for runner in found.runners if request.force_tool_version or not _older(runner, manifest))
    reasons = [*found.problems, *_refusals(request, wanted, targets, found)]
    if not runners:
        reasons.append(_too_old(manifest, found))
    fit = _with_room(policy, wanted, runners)
    if runners and not fit:
        reasons.append(_no_room(policy, wanted, runners))
    if reasons:
        raise RejectedError("; ".join(reasons))
    return ImportPlan(
        export_id=manifest.export_id,
        parts=tuple(_parts(wanted)),
        records={part.name: part.records for namespace, _ in wanted for part in namespace.parts},
        runners=fit,
        width=min(width(found.runners, policy), len(fit)),
        server=found.server,
        existing={target: targets[target].master_objects for _, target in wanted},
        notes=tuple(_notes(request, manifest, wanted, fit)),
    )


Wanted = list[tuple[ExportedNamespace, str]]


def wanted_of(request: ImportRequest, manifest: ExportManifest) -> Wanted:
    """What goes where.

    Raises:
        RejectedError: a namespace is named that the export does not hold.

    """
    held = {namespace.namespace: namespace for namespace in manifest.namespaces}
    if unknown := [name for name in request.namespaces if name not in held]:
        raise RejectedError(
            f"unknown_namespace: field 'namespaces': {', '.join(unknown)} is not in {manifest.export_id}; "
            f"it holds {', '.join(held)}"
        )
    into = request.namespaces or {name: name for name in held}
    return [(held[source], target) for source, target in into.items()]


def _refusals(request: ImportRequest, wanted: Wanted, targets: dict[str, Target], found: TargetsFound) -> Iterator[str]:
    names = [target for _, target in wanted]
    if len(set(names)) < len(names):
        yield "bad_input: field 'namespaces': two namespaces of the export go into one of the cluster"
    for _, name in wanted:
        target = targets.get(name)
        if target is None:
            yield f"unknown_target: the cluster has no namespace {name}: name another one in 'namespaces'"
            continue
        yield from _against(target, request, found)


def _against(target: Target, request: ImportRequest, found: TargetsFound) -> Iterator[str]:
    name = target.namespace
    if target.nodes < found.nodes:
        yield f"target_incomplete: {name} is on {target.nodes} of {found.nodes} nodes"
    if target.guarded:
        # asrestore 8.x wrote nothing into such a namespace, and yet counted records as ignored (measured).
        yield f"namespace_guarded: {name} rejects client writes: lift reject-non-xdr-writes on every node first"
    if target.stop_writes:
        yield f"namespace_full: {name} has stop-writes: make room first"
    if target.available_pct is not None and target.available_pct < LEAST_AVAILABLE_PCT:
        yield f"namespace_full: {name} has {target.available_pct} % of a device left, not {LEAST_AVAILABLE_PCT} %"
    if target.master_objects and request.existing == "refuse":
        yield (
            f"target_not_empty: {name} holds {target.master_objects} records: say existing: allow, and choose by write "
            "what becomes of them, or import into another namespace"
        )


def version_of(text: str) -> tuple[int, ...]:
    """A version's first three numbers; what is no number does not count, and what is not said is 0."""
    numbers = [int(number) for number in _VERSION.findall(text)[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def _older(runner: Runner, manifest: ExportManifest) -> bool:
    return version_of(runner.tools.get("asrestore", "")) < version_of(manifest.tool.version)


def _too_old(manifest: ExportManifest, found: TargetsFound) -> str:
    there = ", ".join(sorted({runner.tools["asrestore"] for runner in found.runners}))
    return (
        f"tool_too_old: {manifest.export_id} was written by {manifest.tool.name} {manifest.tool.version}, and the "
        f"newest asrestore here is of {there}: update aerospike-tools on a runner, or say force_tool_version"
    )


def _with_room(policy: ExportPolicy, wanted: Wanted, runners: tuple[Runner, ...]) -> tuple[Runner, ...]:
    needed = needed_mib(policy, wanted) if policy.directory == DIRECTORY else 0
    return tuple(runner for runner in runners if runner.free_mib >= needed)


def _no_room(policy: ExportPolicy, wanted: Wanted, runners: tuple[Runner, ...]) -> str:
    most = max(runner.free_mib for runner in runners)
    return (
        f"disk_too_small: {needed_mib(policy, wanted)} MiB are needed below {policy.directory}, at most {most} MiB are "
        "free on a runner: free space there, name another directory, or use mode stream"
    )


def needed_mib(policy: ExportPolicy, wanted: Wanted) -> int:
    """Room for as many of the largest files as lie on the disk side by side, packed and unpacked."""
    if policy.mode is not Mode.DIRECTORY:
        return 0
    largest = max(
        (namespace.bytes / max(part.files, 1) for namespace, _ in wanted for part in namespace.parts), default=0
    )
    return int(2 * largest * policy.parallel * SPARE / MIB) + 1


def _parts(wanted: Wanted) -> Iterator[PartOrder]:
    """What carries the indexes comes last: an index that is there from the beginning slows down every write."""
    for carries in (False, True):
        for namespace, target in wanted:
            for number, part in enumerate(namespace.parts):
                if (number == 0) is carries:
                    yield PartOrder(
                        name=part.name,
                        namespace=namespace.namespace,
                        target=target,
                        listing=part.listing,
                        metadata=carries,
                    )


def _notes(
    request: ImportRequest, manifest: ExportManifest, wanted: Wanted, runners: tuple[Runner, ...]
) -> Iterator[str]:
    for namespace, target in wanted:
        yield f"{namespace.namespace} → {target}: {namespace.records} records, {namespace.sindexes} indexes"
    if manifest.compression is not Compression.NONE:
        yield f"files are compressed by {manifest.compression}"
    if request.write is WriteRule.NO_GENERATION:
        yield "records of the export are written over whatever exists, also over newer ones"
    if any(_older(runner, manifest) for runner in runners):
        yield f"read by a tool older than {manifest.tool.version}, as forced"
    yield "generations and last-update times begin anew; a time to live goes on as it was, so records may have expired"
