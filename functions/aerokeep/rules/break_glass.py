"""May writes be resumed by hand, and what came of it: words that tell an operator at night what to do next."""

from collections.abc import Collection, Iterable, Mapping

from aerokeep.model.errors import RejectedError
from aerokeep.model.resumption import Cause, HostResumption, RemainingGuard
from aerokeep.model.run import LockState
from aerokeep.model.wire import Wire

NOT_RUNNING = "asd_not_running"
"""How a host says that no server runs there: none rejects writes, then."""
UNDOING = "undoing"
_REMEDIES = {
    "not_heard": "a write stop there ends by its own lease within a minute; sooner by hand on that host: `for r in"
    " /run/aerokeep/*/; do touch $r/resume; done`. Look at its SSM agent, and start again",
    "unread": "its server does not say whether it takes writes: look at asd there",
    Cause.UNKNOWN: "not set by a run of ours that lives: lift it there with `asinfo -v"
    ' "set-config:context=namespace;id=<namespace>;<setting>=<other value>"`,'
    ' or start again with "resume": "everything"',
    Cause.CONF_UNREADABLE: "its aerospike.conf can't be read, so nobody knows whether it is meant: lift it by hand",
    Cause.FIRST_START: "closed by the first start of a restore or replacement: go on with that journey, or open it by"
    " hand with aerokeep-open-writes (docs/restore.md)",
}


class Report(Wire):
    """What came of it, each node by its instance id."""

    done: bool
    """Every node that runs was heard, and none rejects writes but where its conf says so."""
    resumed: dict[str, tuple[str, ...]]
    """The runs whose write stop was ended there."""
    nothing_to_resume: tuple[str, ...]
    not_heard: dict[str, str]
    """The last word from each."""
    unread: dict[str, str]
    """Why nobody knows whether it takes writes."""
    lifted: dict[str, tuple[str, ...]]
    """Namespaces whose guard was nobody's, and was lifted on request."""
    closed: dict[str, tuple[str, ...]]
    """``namespace: cause``, of guards that remain; those that the conf wants among them."""
    words: str
    """What remains to be done; empty where nothing does."""


def judge_resume(cluster: str, locks: Collection[LockState], *, named: str | None) -> None:
    """Refuse what would open a half-restored cluster by accident.

    Args:
        cluster: its name.
        locks: those of its locks that are held.
        named: the halted run that the operator named.

    Raises:
        RejectedError: a halted run holds the cluster and was not named, or the named one does not.

    """
    halted = {lock.run.run_id: lock for lock in locks if lock.state == "halted"}
    if named is not None and named not in halted:
        holders = ", ".join(sorted(lock.run.run_id for lock in locks)) or "nobody"
        raise RejectedError(
            f"not_halted: field 'halted': {named} does not hold cluster {cluster} halted ({holders} holds it): "
            "leave the field out, or name the run that is halted"
        )
    for run_id, lock in halted.items():
        if run_id != named:
            raise RejectedError(
                f"cluster_halted: cluster {cluster} was left half done by {lock.run.journey} {run_id}: {lock.reason}: "
                f'to resume writes all the same, add "halted": "{run_id}"'
            )


def report(heard: Mapping[str, HostResumption], not_heard: Mapping[str, str]) -> Report:
    """Put the answers in order.

    Args:
        heard: instance id → answer, also of those that are still undoing.
        not_heard: instance id → last word.

    """
    silent = {**not_heard, **{i: UNDOING for i, told in heard.items() if told.state == UNDOING}}
    settled = {i: told for i, told in heard.items() if told.state != UNDOING}
    unread = {i: t.unread for i, t in settled.items() if t.unread and not t.unread.startswith(NOT_RUNNING)}
    remaining = {i: [g for g in told.guards if not g.lifted] for i, told in settled.items()}
    causes = {g.cause for guards in remaining.values() for g in guards} - {Cause.CONF}
    words = [_sentence(ids, _REMEDIES[what]) for what, ids in (("not_heard", silent), ("unread", unread)) if ids]
    for cause in sorted(causes):
        where = {i: _names(g for g in gs if g.cause is cause) for i, gs in remaining.items()}
        words.append(
            _sentence({i: f"rejects writes to {names}" for i, names in where.items() if names}, _REMEDIES[cause])
        )
    return Report(
        done=not words,
        resumed={i: tuple(sorted(t.runs)) for i, t in sorted(settled.items()) if t.runs},
        nothing_to_resume=tuple(sorted(i for i, t in settled.items() if not t.runs)),
        not_heard=dict(sorted(silent.items())),
        unread=unread,
        lifted={i: tuple(g.namespace for g in t.guards if g.lifted) for i, t in settled.items() if _any_lifted(t)},
        closed={i: tuple(f"{g.namespace}: {g.cause}" for g in gs) for i, gs in sorted(remaining.items()) if gs},
        words="; ".join(words),
    )


def _any_lifted(told: HostResumption) -> bool:
    return any(guard.lifted for guard in told.guards)


def _names(guards: Iterable[RemainingGuard]) -> str:
    return ", ".join(sorted(f"{guard.namespace} ({guard.setting}={guard.value})" for guard in guards))


def _sentence(nodes: Mapping[str, str], remedy: str) -> str:
    return f"{', '.join(f'{i} {word}' for i, word in sorted(nodes.items()))}: {remedy}"
