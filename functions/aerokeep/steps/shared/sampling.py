"""Look at the health of a whole cluster, one round at a time, and remember the last looks."""

from collections.abc import Iterable

from aerokeep.aws.ssm import CommandState, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.health import NodeHealth
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.rules.gates import SAMPLES, Sample
from aerokeep.steps.shared.rounds import NOT_NOW

SILENT = "asd_not_running"
"""The host program's code for a server that has no process (any more)."""


class Looks(Wire):
    """The round under way, and what the last ones showed."""

    commands: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()


class Round(Wire):
    """What the hosts answered to one question."""

    healths: dict[str, NodeHealth]
    faults: tuple[str, ...]
    """Why some did not, a sentence each."""
    silent: tuple[str, ...]
    """Instances on which no server runs."""


def next_round(looks: Looks, instance_ids: Iterable[str], hosts: Hosts) -> tuple[Looks, Round | None]:
    """Take in the answers to the last question and ask again → None while some still answer."""
    everyone = sorted(set(instance_ids))
    if not looks.commands:
        return looks.model_copy(update={"commands": _ask(everyone, hosts)}), None
    replies = hosts.replies(looks.commands, everyone)
    if any(reply.state is CommandState.RUNNING for reply in replies.values()):
        return looks, None
    faults, silent, healths = [], [], {}
    for instance_id, reply in sorted(replies.items()):
        if reply.state is CommandState.ANSWERED and reply.refusal is None:
            healths[instance_id] = NodeHealth.model_validate(reply.body)
            continue
        faults.append(f"no_answer: {instance_id}: {reply.refusal if reply.exit_code >= 0 else reply.status}")
        if reply.exit_code == NOT_NOW and reply.refusal_code == SILENT:
            silent.append(instance_id)
    told = Round(healths=healths, faults=tuple(faults), silent=tuple(silent))
    return looks.model_copy(update={"commands": _ask(everyone, hosts)}), told


def remember(looks: Looks, sample: Sample) -> Looks:
    """Keep as many samples as are judged."""
    return looks.model_copy(update={"samples": (*looks.samples, sample)[-SAMPLES:]})


def looks_of(runs: Runs, run: RunRef, what: str) -> Looks:
    """What was seen so far; a run that goes on under a new epoch looks anew."""
    return runs.find(run, f"looks-{what}-{run.epoch}", Looks) or Looks()


def keep(runs: Runs, run: RunRef, what: str, looks: Looks) -> None:
    """Write it down between two looks."""
    runs.write(run, f"looks-{what}-{run.epoch}", looks)


def _ask(instance_ids: list[str], hosts: Hosts) -> tuple[str, ...]:
    commands, _ = hosts.send_where_heard("health", instance_ids)
    return tuple(commands)
