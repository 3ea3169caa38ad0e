"""Where asbackup or asrestore may run, the best host first."""

from collections.abc import Mapping, Sequence

from aerokeep.model.cluster import ExportPolicy, RunnerChoice
from aerokeep.model.errors import RejectedError
from aerokeep.model.transfer import Facts, Runner
from aerokeep.model.transfer_order import Compression, Server
from aerokeep.model.wire import Wire

_PROGRAMS = {Compression.GZIP: "gzip", Compression.ZSTD: "zstd"}


class Candidate(Wire):
    """A host that answered."""

    instance_id: str
    node_id: str | None
    server: Server | None
    rack_id: int | None
    facts: Facts


def rank(
    candidates: Sequence[Candidate], unheard: Mapping[str, str], policy: ExportPolicy, *, tool: str
) -> tuple[Runner, ...]:
    """Sort those that have all they need by their load; where each rack has a runner, the best of each comes first.

    Args:
        candidates: who answered.
        unheard: instance id → why it did not.
        policy: the choice, and what the job needs.
        tool: ``asbackup`` or ``asrestore``.

    Raises:
        RejectedError: nobody has it all; with what each one lacks.

    """
    lacks = dict(unheard)
    runners = []
    for candidate in candidates:
        if missing := _lacking(candidate, policy, tool):
            lacks[candidate.instance_id] = f"has no {', no '.join(missing)}"
        else:
            runners.append(_runner(candidate))
    if not runners:
        told = "; ".join(f"{instance_id} {why}" for instance_id, why in sorted(lacks.items())) or "there is no host"
        raise RejectedError(f"no_runner: {tool} can run nowhere: {told}: install what lacks there, or name other hosts")
    best = sorted(runners, key=lambda runner: (runner.load, runner.instance_id))
    return tuple(_one_of_each_rack_first(best) if policy.runner is RunnerChoice.EACH_RACK else best)


def width(runners: Sequence[Runner], policy: ExportPolicy) -> int:
    """How many of them work side by side."""
    match policy.runner:
        case RunnerChoice.LEAST_LOADED:
            return 1
        case RunnerChoice.TAGGED:
            return len(runners)
        case RunnerChoice.EACH_RACK:
            return len({runner.rack_id for runner in runners})


def _lacking(candidate: Candidate, policy: ExportPolicy, tool: str) -> list[str]:
    facts = candidate.facts
    missing = [] if facts.tools.get(tool) else [tool]
    # With encryption the tool itself compresses: encrypted bytes would not.
    packer = None if policy.encryption else _PROGRAMS.get(policy.compression)
    missing += [name for name in ("aws", packer) if name and not facts.programs.get(name)]
    return missing


def _runner(candidate: Candidate) -> Runner:
    facts = candidate.facts
    return Runner(
        instance_id=candidate.instance_id,
        node_id=candidate.node_id,
        server=candidate.server,
        rack_id=candidate.rack_id,
        tools={name: version for name, version in facts.tools.items() if version},
        load=round(facts.load / max(facts.cpus, 1), 3),
        free_mib=facts.free_mib,
    )


def _one_of_each_rack_first(runners: Sequence[Runner]) -> list[Runner]:
    first: dict[int | None, Runner] = {}
    for runner in runners:
        first.setdefault(runner.rack_id, runner)
    chosen = list(first.values())
    return [*chosen, *(runner for runner in runners if runner not in chosen)]
