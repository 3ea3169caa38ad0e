"""Whatever hosts answer, lose, refuse or repeat: every file is counted once, and nothing is given to a lost runner."""

from dataclasses import dataclass, field
from itertools import count

from aerokeep.model.errors import AerokeepError
from aerokeep.model.transfer import Counters, Job, JobState, JobStatus, PartState, PartStatus, Tried
from aerokeep.rules import transfer as rules
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.builders import at
from tests.transfer_builders import a_part_order, a_part_status, a_policy

RUNNERS = ("i-1", "i-2", "i-3")
FILES = {"test-00": 2, "test-01": 3, "test-02": 1, "test-03": 0}
"""Part → files; the records of file n are n + 1."""
LAST = frozenset({"test-00"})
WIDTH = 2
POLICY = a_policy(tries=3, runner_silence_s=60)
RUNNER = st.sampled_from(RUNNERS)


def records_of(name: str, begin: int, end: int) -> int:
    """Of files from ``begin`` to before ``end``."""
    return sum(number + 1 for number in range(min(begin, FILES[name]), min(end, FILES[name])))


@dataclass(eq=False)
class HostJob:
    """What lives on a host, whether or not anybody has heard of it."""

    token: str
    skips: dict[str, int]
    states: dict[str, PartState]
    done: dict[str, int]
    begun: set[str] = field(default_factory=set)
    state: JobState = JobState.RUNNING

    @property
    def current(self) -> str | None:
        """The part that it is at: one after the other."""
        unfinished = (PartState.WAITING, PartState.RUNNING)
        return next((name for name, state in self.states.items() if state in unfinished), None)

    def status(self) -> JobStatus:
        """As the host tells of it."""
        return JobStatus(state=self.state, token=self.token, parts=tuple(map(self._part, self.states)))

    def _part(self, name: str) -> PartStatus:
        records = records_of(name, self.skips[name], self.done[name])
        return a_part_status(
            name,
            self.states[name],
            error="tool_failed" if self.states[name] is PartState.FAILED else None,
            files_done=self.done[name],
            begun=name in self.begun,
            counters=Counters(records=records, inserted=records),
        )


class AnyTransfer(RuleBasedStateMachine):
    """A run, its hosts, and everything that may come between them."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds, self.epoch, self.tokens = 0.0, 1, count()
        self.transfer = rules.begin(map(a_part_order, FILES), epoch=1, now=at(0))
        self.hosts: dict[str, HostJob] = {}
        self.over = False
        self.ever_done: dict[str, Counters] = {}
        self.writers: dict[tuple[str, int], list[HostJob]] = {}
        self.met: set[str] = set()
        """Parts of which a job has begun a file that another one, or itself before its host fell, had begun."""

    # -- what hosts do by themselves

    @rule(runner=RUNNER)
    def a_file_is_done(self, runner: str) -> None:
        if (
            (job := self.hosts.get(runner)) is None
            or (name := job.current) is None
            or job.state is not JobState.RUNNING
        ):
            return
        job.states[name] = PartState.RUNNING
        if job.done[name] < FILES[name]:
            self._write(job, name)
            job.done[name] += 1
            job.begun.discard(name)
        else:
            job.states[name] = PartState.DONE
        if job.current is None:
            job.state = JobState.FAILED if PartState.FAILED in job.states.values() else JobState.DONE

    @rule(runner=RUNNER)
    def a_file_is_begun(self, runner: str) -> None:
        job = self.hosts.get(runner)
        if job is not None and (name := job.current) is not None and job.state is JobState.RUNNING:
            job.states[name] = PartState.RUNNING
            if job.done[name] < FILES[name]:
                self._write(job, name)
                job.begun.add(name)

    def _write(self, job: HostJob, name: str) -> None:
        """Records of the next file come into the cluster; those that are there already, it meets."""
        writers = self.writers.setdefault((name, job.done[name]), [])
        if not any(writer is job for writer in writers):
            writers.append(job)
            self.met |= {name} if len(writers) > 1 and not self._part(name).done else set()

    @rule(runner=RUNNER)
    def a_tool_fails(self, runner: str) -> None:
        if (
            (job := self.hosts.get(runner)) is None
            or (name := job.current) is None
            or job.state is not JobState.RUNNING
        ):
            return
        job.states[name] = PartState.FAILED
        job.state = JobState.FAILED if job.current is None else job.state

    @rule(runner=RUNNER)
    def a_job_is_killed(self, runner: str) -> None:
        if (job := self.hosts.get(runner)) is not None and job.state is JobState.RUNNING:
            job.state = JobState.DEAD

    @rule(runner=RUNNER)
    def a_host_is_switched_off_and_on(self, runner: str) -> None:
        self.hosts.pop(runner, None)

    # -- what comes of a question

    @rule(runner=RUNNER)
    def an_answer_comes(self, runner: str) -> None:
        if (job := self._job(runner)) is None:
            return
        living = self.hosts.get(runner)
        if not job.begun and (living is None or living.token != job.token):
            if living is not None and living.state is JobState.RUNNING:
                self.transfer = rules.lose(self.transfer, job, "job_running")
                return
            living = self.hosts[runner] = self._new(job)
        status = JobStatus(state=JobState.NONE) if living is None else living.status()
        self.transfer = rules.heard(self.transfer, job, status, now=at(self.seconds))

    @rule(runner=RUNNER)
    def an_order_arrives_and_its_answer_is_lost(self, runner: str) -> None:
        job = self._job(runner)
        if job is not None and not job.begun and runner not in self.hosts:
            self.hosts[runner] = self._new(job)
            self.transfer = rules.command_lost(self.transfer, job, "the command got lost")

    @rule(runner=RUNNER)
    def it_can_not_begin_now(self, runner: str) -> None:
        if (job := self._job(runner)) is not None:
            self.transfer = rules.not_begun(self.transfer, job, "vault_unreachable")

    @rule(runner=RUNNER)
    def it_refuses_for_good(self, runner: str) -> None:
        job = self._job(runner)
        if job is not None and not job.begun and runner not in self.hosts:
            self.transfer = rules.refuse(self.transfer, job)
            self.over = True

    # -- what a look does then

    @rule(passes_s=st.sampled_from([1, 30, 61]))
    def a_look_gives_up_who_is_silent_and_orders_what_waits(self, passes_s: int) -> None:
        self.seconds += passes_s
        self.transfer = rules.give_up_silent(self.transfer, POLICY, now=at(self.seconds))
        try:
            rules.require_hope(self.transfer, POLICY, RUNNERS, now=at(self.seconds))
        except AerokeepError:
            self.over = True
            return
        before = {job.token for job in self.transfer.jobs}
        self.transfer = rules.assign(
            self.transfer,
            RUNNERS,
            width=WIDTH,
            last=LAST,
            token=lambda: f"{next(self.tokens):016x}",
            now=at(self.seconds),
        )
        self._check_new([job for job in self.transfer.jobs if job.token not in before])

    @precondition(lambda self: self.over)
    @rule()
    def the_run_goes_on_after_it_was_halted(self) -> None:
        self.over, self.epoch = False, self.epoch + 1
        self.transfer = rules.go_on(self.transfer, epoch=self.epoch, now=at(self.seconds))

    def _check_new(self, jobs: list[Job]) -> None:
        for job in jobs:
            assert job.runner not in self.transfer.lost
            assert job.runner not in [other.runner for other in self.transfer.jobs if other.token != job.token]
            for name in job.parts:
                part = self._part(name)
                assert not part.done
                assert part.tries < POLICY.tries
                assert name not in LAST or all(p.done or p.name in LAST for p in self.transfer.parts)

    def _new(self, job: Job) -> HostJob:
        """The order says what to leave out, as it is written when it is sent."""
        skips = {name: self._part(name).files_done for name in job.parts}
        return HostJob(job.token, skips, dict.fromkeys(job.parts, PartState.WAITING), dict(skips))

    def _part(self, name: str) -> Tried:
        return next(part for part in self.transfer.parts if part.name == name)

    def _job(self, runner: str) -> Job | None:
        return next((job for job in self.transfer.jobs if job.runner == runner), None)

    # -- what holds at any time

    @invariant()
    def every_file_that_counts_as_done_is_counted_once(self) -> None:
        for part in self.transfer.parts:
            records = records_of(part.name, 0, part.files_done)
            assert part.counters == Counters(records=records, inserted=records), part.name
            assert not part.done or part.files_done == FILES[part.name]

    @invariant()
    def what_is_done_stays_done_as_it_was(self) -> None:
        now = {part.name: part.counters for part in self.transfer.parts if part.done}
        assert now.items() >= self.ever_done.items()
        self.ever_done = now

    @invariant()
    def a_part_is_with_one_runner_that_has_a_job_with_it_or_with_none(self) -> None:
        for part in self.transfer.parts:
            having = [job.runner for job in self.transfer.jobs if part.name in job.parts and job.runner == part.runner]
            assert having == ([] if part.runner is None else [part.runner]), part.name
            assert not part.done or part.runner is None

    @invariant()
    def nobody_has_two_jobs_and_nobody_who_was_given_up_has_one(self) -> None:
        runners = [job.runner for job in self.transfer.jobs]
        assert len(runners) == len(set(runners))
        assert not set(runners) & self.transfer.lost.keys()

    @invariant()
    def a_part_of_which_a_file_was_begun_again_is_known_to_be_repeated(self) -> None:
        for part in self.transfer.parts:
            assert part.repeated or not (part.done and part.name in self.met), part.name


TestAnyTransfer = AnyTransfer.TestCase
TestAnyTransfer.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
