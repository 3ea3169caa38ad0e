"""Into which parts an export is cut, who runs them, and whether it can succeed as asked."""

from aerokeep.model.cluster import DIRECTORY, ExportPolicy, RunnerChoice
from aerokeep.model.errors import RejectedError
from aerokeep.model.export import ClusterFound, Estimated, ExportPlan, ExportRequest, Live
from aerokeep.model.transfer import Runner
from aerokeep.model.transfer_order import MOST_PARTS, Compression, Mode, PartOrder
from aerokeep.rules.runners import width

PARTITIONS = 4096
MIB = 1024 * 1024
SPARE = 1.25
"""An estimate is of a sample; so much more room is wanted on the host, and in the size that S3's parts are cut for."""
EXACT_BYTES_PER_S = 32 * MIB
"""A quarter of what one asbackup into gzip was measured at on two cores: 128 MB/s."""
GUARD_MARGIN_S = 2.0
"""From the guard to the tool's first read, and from its last to the end of the guard."""
ROUND_S = 2.0
"""So long asbackup and the upload take to begin and to end, whatever lies between; for each part in turn."""


def wanted_namespaces(request: ExportRequest, found: ClusterFound) -> tuple[Live, ...]:
    """What is exported.

    Raises:
        RejectedError: a namespace is named that the cluster has not.

    """
    known = {live.namespace: live for live in found.namespaces}
    if unknown := [name for name in request.namespaces if name not in known]:
        raise RejectedError(
            f"unknown_namespace: field 'namespaces': {', '.join(unknown)}; the cluster has {', '.join(sorted(known))}"
        )
    return tuple(known[name] for name in request.namespaces) or found.namespaces


def require_sound(request: ExportRequest, policy: ExportPolicy) -> None:
    """Refuse what contradicts itself, before anything is asked or locked.

    Raises:
        RejectedError: it does.

    """
    if policy.runner is RunnerChoice.TAGGED and policy.runner_tag is None:
        raise RejectedError("no_runner_tag: runner is tagged, but export.runner_tag of clusters.yaml names no tag")
    if policy.encryption is not None and policy.compression is Compression.GZIP:
        raise RejectedError(
            "bad_input: field 'compression': encrypted bytes do not compress, and asbackup itself knows zstd alone: "
            "name zstd or none with encryption"
        )
    if policy.mode is Mode.DIRECTORY and (request.slices or 1) > 1:
        raise RejectedError(
            "bad_input: field 'slices': in directory mode asbackup cuts the files itself (file_mib): leave it out"
        )
    if request.exact and policy.mode is Mode.DIRECTORY:
        raise RejectedError("bad_input: field 'exact': under the guard there is no time for files: use mode stream")
    if request.exact and policy.runner is RunnerChoice.TAGGED:
        raise RejectedError(
            "bad_input: field 'exact': only a node can prove when it read: name runner least_loaded or each_rack"
        )
    if request.sample_partitions and policy.encryption is not None:
        raise RejectedError(
            "bad_input: field 'sample_partitions': an encrypted export can't be compared with the cluster: leave it out"
        )
    if request.partitions is not None:
        _numbers(request.partitions)


def plan_export(
    request: ExportRequest, policy: ExportPolicy, found: ClusterFound, estimated: Estimated, *, lease_s: float
) -> ExportPlan:
    """Cut namespaces into slices of partitions; the first of each carries indexes and UDFs.

    Raises:
        RejectedError: an unknown namespace, more parts than a host can tell of, no room, or longer than the lease.

    """
    namespaces = wanted_namespaces(request, found)
    many = width(found.runners, policy)
    slices = 1 if policy.mode is Mode.DIRECTORY else max(policy.slices, many)
    parts = [part for live in namespaces for part in _slices(live, slices, request.partitions, estimated)]
    if len(parts) > MOST_PARTS:
        raise RejectedError(
            f"too_many_parts: {len(namespaces)} namespaces of {slices} slices are more than {MOST_PARTS}: "
            "name fewer slices, or fewer namespaces"
        )
    runners = _with_room(found.runners, policy, estimated)
    rounds = -(-len(parts) // (policy.at_once * many))
    _require_fits(request, policy, estimated, lease_s=lease_s, rounds=rounds)
    return ExportPlan(
        parts=tuple(parts),
        runners=runners,
        width=min(many, len(runners)),
        server=found.server,
        total_bytes=estimated.total_bytes,
        notes=_notes(request),
    )


def _slices(live: Live, count: int, asked: str | None, estimated: Estimated) -> list[PartOrder]:
    ranges = _cut(asked, count) if asked or count > 1 else [None]
    expected = int(live.master_objects * estimated.record_bytes.get(live.namespace, 0) * SPARE / len(ranges))
    return [
        PartOrder(
            name=f"{live.namespace}-{number:02d}",
            namespace=live.namespace,
            partitions=partitions,
            metadata=number == 0,
            expected_bytes=expected,
        )
        for number, partitions in enumerate(ranges)
    ]


def _cut(asked: str | None, count: int) -> list[str | None]:
    """Cut ranges of partitions (all, if none are named) into so many that hold about as many partitions each."""
    wanted = sorted(_numbers(asked) if asked else range(PARTITIONS))
    size = -(-len(wanted) // min(count, len(wanted)))
    return [_as_ranges(wanted[start : start + size]) for start in range(0, len(wanted), size)]


def _numbers(asked: str) -> set[int]:
    numbers: set[int] = set()
    for word in asked.split(","):
        begin, _, count = word.partition("-")
        asked_for = set(range(int(begin), int(begin) + int(count or 1)))
        if not asked_for:
            raise RejectedError(f"bad_input: field 'partitions': {word} holds none: write begin-count")
        numbers |= asked_for
    if wrong := [number for number in numbers if number >= PARTITIONS]:
        raise RejectedError(
            f"bad_input: field 'partitions': there is no partition {min(wrong)}: write begin-count below {PARTITIONS}"
        )
    return numbers


def _as_ranges(numbers: list[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][0] + ranges[-1][1] == number:
            ranges[-1][1] += 1
        else:
            ranges.append([number, 1])
    return ",".join(f"{begin}-{count}" for begin, count in ranges)


def needed_mib(policy: ExportPolicy, total_bytes: int) -> int:
    """The room that a runner needs on its disk."""
    return int(total_bytes * SPARE / MIB) + 1 if policy.mode is Mode.DIRECTORY else 0


def _with_room(runners: tuple[Runner, ...], policy: ExportPolicy, estimated: Estimated) -> tuple[Runner, ...]:
    needed = needed_mib(policy, estimated.total_bytes) if policy.directory == DIRECTORY else 0
    fit = tuple(runner for runner in runners if runner.free_mib >= needed)
    if not fit:
        most = max(runner.free_mib for runner in runners)
        raise RejectedError(
            f"disk_too_small: the export takes {needed} MiB below {policy.directory}, at most {most} MiB are free on a "
            "runner: name another directory, or use mode stream"
        )
    return fit


def _require_fits(
    request: ExportRequest, policy: ExportPolicy, estimated: Estimated, *, lease_s: float, rounds: int
) -> None:
    if not request.exact:
        return
    rate = min(EXACT_BYTES_PER_S, policy.bandwidth_mibps * MIB or EXACT_BYTES_PER_S)
    takes_s = estimated.total_bytes * SPARE / rate + rounds * ROUND_S + GUARD_MARGIN_S
    if takes_s > lease_s:
        raise RejectedError(
            f"exact_too_long: the export is estimated at {takes_s:.0f} s, and writes may be stopped for {lease_s:g} s: "
            "name fewer namespaces or sets, more at_once, a longer write_stop.lease_s and budget_s, or leave out exact"
        )


def _notes(request: ExportRequest) -> tuple[str, ...]:
    notes = []
    if not request.exact:
        notes.append("not of one instant: each record is as it was when the scan came by")
    if request.modified_after:
        notes.append("incremental: it holds no deletes, so what was deleted since comes back with the export before it")
    if request.sets or request.partitions or request.modified_before:
        notes.append("a part of the cluster: only the sets, partitions and times that the request names")
    notes.append("users, roles, truncate thresholds, roster, XDR state and configuration are in no export")
    return tuple(notes)
