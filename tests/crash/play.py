"""Play rows, several side by side, each on a cluster of its own, and report what was broken."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.invariants import Breach, Mark, breaches, longest_lambda, mark, overrun, oversized, unprotected
from tests.crash.journeys import Journey, Prepared
from tests.crash.programme import JOURNEYS
from tests.crash.rows import OF_CALLS, How, Provocation, Row, Scene, Site, handler_of, lambda_states, machine
from tests.crash.strikes import Seen, Strike

PROTECT = "protect"


@dataclass(frozen=True)
class Report:
    """What became of one row."""

    row: Row
    broken: tuple[str, ...]
    expected: tuple[str, ...]
    """Breaches that the journey's builder knows of, each with its reason."""
    seconds: float
    longest_lambda_s: float
    longest_state: str
    executions: tuple[str, ...]
    """The ends of all executions, a line each."""

    @property
    def lines(self) -> Iterator[str]:
        """As the matrix prints it; nothing where all is well."""
        if not self.broken and not self.expected:
            return
        yield f"{'broken' if self.broken else 'xfail'}: {self.row.name}"
        yield from (f"    {line}" for line in (*self.broken, *self.expected))
        yield from (f"    execution {line}" for line in self.executions)


class Player:
    """Plays the rows of one field."""

    def __init__(self, field: Field, journeys: Mapping[str, Journey] = JOURNEYS) -> None:
        self._field, self._journeys = field, journeys

    def scout(self, journey: str, scene: Scene, number: int) -> list[Site]:
        """Play a scene with nothing but its provocations → the calls that its states make: each one can be struck."""
        row = Row(journey, "", How.GONE, scene.name, "", scene.provoked)
        name = f"{journey}-scene-{number}"
        return sorted(Performance(self._field, self._journeys[journey], row, name).scout(scene))

    def play_all(self, rows: Sequence[Row], *, jobs: int, told: Callable[[Report], None]) -> list[Report]:
        """Play rows side by side, and tell of each as it ends."""
        reports, pool = [], ThreadPoolExecutor(jobs, thread_name_prefix="row")
        try:
            for done in as_completed([pool.submit(self.play, row, number) for number, row in enumerate(rows)]):
                reports.append(done.result())
                told(reports[-1])
        finally:
            pool.shutdown(cancel_futures=True)
        return reports

    def play(self, row: Row, number: int) -> Report:
        """Play one; a row that can't be played is broken."""
        began = time.monotonic()
        journey = self._journeys[row.journey]
        performance = Performance(self._field, journey, row, f"{row.journey}-{number}")
        try:
            found = list(performance.play())
        except Exception as error:  # noqa: BLE001  # one row's misfortune is its report
            where = traceback.extract_tb(error.__traceback__)[-1]
            found = [Breach("unplayable", f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})")]
        known = journey.known(row)
        seconds, state = longest_lambda(performance.executions)
        return Report(
            row=row,
            broken=tuple(str(breach) for breach in found if breach.code not in known),
            expected=tuple(f"{breach} ({known[breach.code]})" for breach in found if breach.code in known),
            seconds=time.monotonic() - began,
            longest_lambda_s=seconds,
            longest_state=state,
            executions=tuple(execution.words for execution in performance.executions),
        )


class Performance:
    """One row under way."""

    def __init__(self, field: Field, journey: Journey, row: Row, name: str) -> None:
        self._field, self._journey, self._row, self._name = field, journey, row, name
        self.executions: list[Execution] = []

    def play(self) -> Iterator[Breach]:
        """Strike, let the guardian see to it, judge; start the same input again, judge again."""
        prepared = self._journey.prepare(self._field, self._name, self._row)
        self.executions += prepared.made
        since = mark(self._field, prepared.cluster)
        try:
            yield from self._strike(prepared)
            yield from self._judge(prepared, since)
            again = self._run_again("again", prepared.request)
            yield from self._judge(prepared, since)
            if (request := self._journey.once_more(self._field, prepared, again)) is not None:
                again = self._run_again("once-more", request)
                yield from self._judge(prepared, since)
            yield from self._journey.ended_well(self._field, prepared, again)
            if again.status == "SUCCEEDED" and self._protects():
                yield from self._unprotected(prepared)
            yield from oversized(self.executions)
            yield from overrun(self._field, self.executions, expected=self._row.how is How.TIMED_OUT)
        finally:
            self._leave(prepared)

    def scout(self, scene: Scene) -> Iterator[Site]:
        """Play a scene with nothing but its provocations → the calls that its states make."""
        prepared = self._journey.prepare(self._field, self._name, self._row)
        try:
            _, seen = self._run_under(
                prepared, [strike_of(self._row.journey, act) for act in scene.provoked], "scouted"
            )
            states = {handler_of(self._row.journey, state): state for state in scene.states}
            for call in seen:
                if call.handler in states:
                    yield Site(scene.name, states[call.handler], call.action, changes=call.changes)
        finally:
            self._leave(prepared)

    def _leave(self, prepared: Prepared) -> None:
        if prepared.writer is not None:
            prepared.writer.close()
        self._field.clear(prepared.cluster)

    def _protects(self) -> bool:
        return any(state.startswith("Protect") for state in lambda_states(machine(self._row.journey)))

    def _unprotected(self, prepared: Prepared) -> Iterator[Breach]:
        """What was kept from protecting says so, and goes on: then the next round of ``protect`` must do it."""
        kept_from_it = self._row.state.startswith("Protect") and self._row.how in OF_CALLS
        if kept_from_it and any(unprotected(self._field, prepared.cluster)):
            request = {"cluster": prepared.cluster.name}
            self.executions.append(self._field.run(PROTECT, f"{self._name}-protect", request))
        yield from unprotected(self._field, prepared.cluster)

    def _run_again(self, part: str, request: Mapping[str, Any]) -> Execution:
        """Runs are named to the second: two inputs that are alike make two runs only if their seconds differ."""
        time.sleep(1.0 - time.time() % 1.0)
        return self._run(part, request)

    def _run(self, part: str, request: Mapping[str, Any]) -> Execution:
        execution = self._field.run(self._row.journey, f"{self._name}-{part}", request)
        self.executions.append(execution)
        return execution

    def _run_under(self, prepared: Prepared, strikes: Sequence[Strike], part: str) -> tuple[Execution, set[Seen]]:
        arn = self._field.arn_of(self._row.journey, f"{self._name}-{part}")
        target = self._field.strikes.arm(prepared.cluster.name, arn, strikes)
        try:
            return self._run(part, prepared.request), target.seen
        finally:
            self._field.strikes.disarm(prepared.cluster.name)

    def _strike(self, prepared: Prepared) -> Iterator[Breach]:
        row = self._row
        strikes = [strike_of(row.journey, act) for act in row.provoked]
        strikes.append(Strike(handler_of(row.journey, row.state), row.how, row.action))
        struck, _ = self._run_under(prepared, strikes, "struck")
        for strike in strikes:
            if not strike.struck.is_set() and strike.how is not How.KILLED_MIDWAY:
                yield Breach(
                    "never_struck", f"{strike.handler} did not call {strike.action or 'anything'}: {struck.words}"
                )
        if self._field.deployed(GUARDIAN):
            self._field.let_busy_time_pass(prepared.cluster.name)
            request = {"cluster": prepared.cluster.name}
            self.executions.append(self._field.run(GUARDIAN, f"{self._name}-round", request))

    def _judge(self, prepared: Prepared, since: Mark) -> Iterator[Breach]:
        fate, serves = self._journey.judge(self._field, prepared)
        yield from breaches(
            self._field,
            prepared.cluster,
            since,
            fate=fate,
            serves=serves,
            open_while_mixed=prepared.open_while_mixed,
        )


def strike_of(journey: str, act: Provocation) -> Strike:
    """What a provocation does."""
    return Strike(handler_of(journey, act.state), act.how, act.action)
