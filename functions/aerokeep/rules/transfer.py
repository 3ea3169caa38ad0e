"""How a transfer goes on: what a host's answer means for its parts, who is given up, and who gets what next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from aerokeep.model.cluster import ExportPolicy
from aerokeep.model.errors import AerokeepError, ConflictError, CorruptError, NotReadyError, RejectedError
from aerokeep.model.transfer import Job, JobState, JobStatus, PartState, PartStatus, Told, Transfer, Tried
from aerokeep.model.transfer_order import PartOrder

_FINAL: Mapping[str, tuple[type[AerokeepError], str]] = {
    "disk_full": (RejectedError, "free space there, name another directory, or use mode stream"),
    "wrong_key": (RejectedError, "name the key that the export was written with"),
    "records_ignored": (RejectedError, "the cluster took none of these records: lift what rejects writes there"),
    "checksum_differs": (CorruptError, "the vault does not hold what was written: take another export"),
    "listing_unreadable": (CorruptError, "the vault does not hold what was written: take another export"),
    "count_differs": (CorruptError, "the files do not hold what the tool said that it wrote"),
    "late": (NotReadyError, "the guard would have ended before the export: name more slices, or leave out exact"),
    "cancelled": (ConflictError, "somebody has cancelled the job on the host"),
}
"""Codes of parts that another try can't help → our class, and what helps."""


def begin(parts: Iterable[PartOrder], *, epoch: int, now: datetime) -> Transfer:
    """Nothing is done yet."""
    return Transfer(epoch=epoch, begun_at=now, parts=tuple(Tried(name=part.name) for part in parts))


def go_on(transfer: Transfer, *, epoch: int, now: datetime) -> Transfer:
    """A run that was halted goes on: what is done stays so, and everything else has all its tries again."""
    if transfer.epoch == epoch:
        return transfer
    return transfer.model_copy(
        update={
            "epoch": epoch,
            "begun_at": now,
            "lost": {},
            "parts": tuple(_anew(part) for part in transfer.parts),
            "jobs": tuple(job.model_copy(update={"commands": (), "heard_at": now}) for job in transfer.jobs),
        }
    )


def _anew(part: Tried) -> Tried:
    """Why it failed was somebody's affair meanwhile, so it is no reason against another try."""
    waits = part.runner is None and not part.done
    return part.model_copy(update={"tries": 0, "status": None if waits else part.status})


def heard(transfer: Transfer, job: Job, status: JobStatus, *, now: datetime) -> Transfer:
    """Take in what a host says of its job."""
    if status.token != job.token and not job.begun:
        # What it tells is of an order before this one, which it has not been given yet.
        return _with_job(transfer, job.model_copy(update={"commands": (), "heard_at": now}))
    forgotten = status.token != job.token
    known = {} if forgotten else {part.name: _told(part, status) for part in status.parts}
    over = forgotten or status.state is not JobState.RUNNING
    parts = [
        _after(part, known.get(part.name), over=over, forgotten=forgotten) if _has(job, part) else part
        for part in transfer.parts
    ]
    jobs = [other for other in transfer.jobs if other.token != job.token]
    if not over:
        jobs.append(job.model_copy(update={"begun": True, "commands": (), "heard_at": now, "words": ""}))
    changes: dict[str, object] = {"parts": tuple(parts), "jobs": tuple(jobs)}
    if status.tool is not None and known:
        changes |= {"tool": status.tool, "key_check": status.key_check}
    if over and status.ended_at is not None:
        changes["ended_at"] = max(status.ended_at, transfer.ended_at or 0)
    return transfer.model_copy(update=changes)


def _told(part: PartStatus, status: JobStatus) -> PartStatus:
    """A job that its host has stopped, as at a shutdown, is not one that somebody has cancelled for good."""
    if part.error is None or part.error.code != "cancelled" or status.state is JobState.CANCELLED:
        return part
    return part.model_copy(update={"error": part.error.model_copy(update={"code": "job_stopped"})})


def _has(job: Job, part: Tried) -> bool:
    """A job goes on telling of what it failed at, which was given back at its first word of it."""
    return part.name in job.parts and part.runner == job.runner


def _after(part: Tried, told: PartStatus | None, *, over: bool, forgotten: bool) -> Tried:
    if told is None:
        # What a job that its host has forgotten did after its last word nobody knows.
        return _given_back(part, code="job_gone", repeated=forgotten) if over else part
    told_part = part.model_copy(update={"status": told})
    if told.state is PartState.DONE:
        return _carry(told_part, told).model_copy(update={"done": True, "runner": None})
    if told.state is PartState.FAILED or over:
        return _given_back(told_part, code="job_gone", repeated=False)
    return told_part


def _given_back(part: Tried, *, code: str, repeated: bool) -> Tried:
    """The part waits for another try, from where the last one is known to have come."""
    told = part.status
    carried = part if told is None else _carry(part, told)
    if told is not None and told.error is None:
        told = told.model_copy(update={"error": Told(code=code, detail="its job ended without a word")})
    return carried.model_copy(
        update={
            "runner": None,
            "tries": part.tries + 1,
            "status": told,
            "repeated": carried.repeated or repeated,
        }
    )


def _carry(part: Tried, told: PartStatus) -> Tried:
    """Keep what a job has restored for sure."""
    return part.model_copy(
        update={
            "files_done": max(part.files_done, told.files_done),
            "counters": part.counters.plus(told.counters),
            "sindexes": part.sindexes + told.sindexes,
            "udfs": part.udfs + told.udfs,
            "repeated": part.repeated or told.begun,
        }
    )


def not_begun(transfer: Transfer, job: Job, words: str) -> Transfer:
    """The host says that it can't begin now; it is asked again until it counts as silent."""
    return _with_job(transfer, job.model_copy(update={"commands": (), "words": words}))


def command_lost(transfer: Transfer, job: Job, words: str) -> Transfer:
    """Nobody knows whether the host had the question; if it was an order, the next one may repeat what it wrote."""
    asked_again = not_begun(transfer, job, words)
    parts = [
        part.model_copy(update={"repeated": True}) if _has(job, part) and not job.begun else part
        for part in asked_again.parts
    ]
    return asked_again.model_copy(update={"parts": tuple(parts)})


def refuse(transfer: Transfer, job: Job) -> Transfer:
    """The host did not begin, and never will: its parts wait as if they had not been ordered."""
    parts = [part.model_copy(update={"runner": None}) if _has(job, part) else part for part in transfer.parts]
    jobs = tuple(other for other in transfer.jobs if other.token != job.token)
    return transfer.model_copy(update={"parts": tuple(parts), "jobs": jobs})


def lose(transfer: Transfer, job: Job, why: str, *, may_have_begun: bool = False) -> Transfer:
    """Give a runner up: its parts wait for another one; what it does meanwhile nobody will read.

    Args:
        transfer: how far it is.
        job: what the runner was given.
        why: it is given up.
        may_have_begun: it may be at work on the order without ever having said so.

    """
    repeated = job.begun or may_have_begun
    parts = [
        _given_back(part, code="runner_lost", repeated=repeated) if _has(job, part) else part for part in transfer.parts
    ]
    return transfer.model_copy(
        update={
            "parts": tuple(parts),
            "jobs": tuple(other for other in transfer.jobs if other.token != job.token),
            "lost": {**transfer.lost, job.runner: why},
        }
    )


def give_up_silent(transfer: Transfer, policy: ExportPolicy, *, now: datetime) -> Transfer:
    """Lose every runner that has not answered for too long."""
    longest = timedelta(seconds=policy.runner_silence_s)
    for job in transfer.jobs:
        if now - job.heard_at > longest:
            why = job.words or f"no answer for {policy.runner_silence_s:g} s"
            transfer = lose(transfer, job, why, may_have_begun=True)
    return transfer


def require_hope(transfer: Transfer, policy: ExportPolicy, runners: Sequence[str], *, now: datetime) -> None:
    """Nothing stands in the way of the end.

    Raises:
        RejectedError: a part failed as it would again.
        CorruptError: the vault does not hold what was written.
        ConflictError: a job was cancelled.
        NotReadyError: a part has failed too often, the deadline has passed, or there is no runner left.

    """
    for part in transfer.parts:
        if not part.done and part.runner is None:
            _require_another_try(part, policy, transfer.lost)
    if transfer.done:
        return
    if now - transfer.begun_at > timedelta(seconds=policy.deadline_s):
        waiting = ", ".join(part.name for part in transfer.parts if not part.done)
        raise NotReadyError(f"not_done: after {policy.deadline_s:g} s these are not done: {waiting}")
    if not transfer.jobs and not [runner for runner in runners if runner not in transfer.lost]:
        why = "; ".join(f"{runner}: {reason}" for runner, reason in transfer.lost.items())
        raise NotReadyError(f"no_runner: every host that could run the tool was given up: {why}")


def _require_another_try(part: Tried, policy: ExportPolicy, lost: Mapping[str, str]) -> None:
    error = (part.status.error if part.status else None) or _unheard(lost)
    if error.code in _FINAL:
        kind, remedy = _FINAL[error.code]
        raise kind(f"{error.code}: {part.name}: {error.detail}: {remedy}")
    if part.tries >= policy.tries:
        raise NotReadyError(
            f"part_failed: {part.name} failed {part.tries} times, at last {error.code}: {part.name}: {error.detail}"
        )


def _unheard(lost: Mapping[str, str]) -> Told:
    """What is said of a part that no job told of: most often its runners were given up, and each had a reason."""
    given_up = "".join(f"; {runner} was given up: {why}" for runner, why in lost.items())
    return Told(code="job_gone", detail=f"no job said a word about it{given_up}")


def assign(
    transfer: Transfer,
    runners: Sequence[str],
    *,
    width: int,
    last: frozenset[str],
    token: Callable[[], str],
    now: datetime,
) -> Transfer:
    """Give what waits to runners that have nothing to do.

    Args:
        transfer: how far it is.
        runners: instances, the best first.
        width: how many of them work side by side.
        last: parts that begin when all others are done.
        token: makes a new name for an order.
        now: the time.

    """
    working = [runner for runner in runners if runner not in transfer.lost][:width]
    busy = {job.runner for job in transfer.jobs}
    idle = [runner for runner in working if runner not in busy]
    waiting = [part.name for part in transfer.parts if not part.done and part.runner is None]
    if all(part.done or part.name in last for part in transfer.parts):
        idle = idle[:1]
    else:
        waiting = [name for name in waiting if name not in last]
    jobs = [
        Job(runner=runner, token=token(), parts=tuple(waiting[number :: len(idle)]), heard_at=now)
        for number, runner in enumerate(idle)
        if waiting[number :: len(idle)]
    ]
    of_part = {name: job.runner for job in jobs for name in job.parts}
    parts = [
        part.model_copy(update={"runner": of_part[part.name], "status": None}) if part.name in of_part else part
        for part in transfer.parts
    ]
    return transfer.model_copy(update={"parts": tuple(parts), "jobs": (*transfer.jobs, *jobs)})


def _with_job(transfer: Transfer, job: Job) -> Transfer:
    jobs = tuple(job if other.token == job.token else other for other in transfer.jobs)
    return transfer.model_copy(update={"jobs": jobs})
