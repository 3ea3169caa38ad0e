"""Ask hosts for something slow: each look takes in answers, and asks those again that are not done yet."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from aerokeep.aws.catalog import Catalog
from aerokeep.aws.ssm import CommandState, HostReply, Hosts
from aerokeep.aws.vault import Runs
from aerokeep.model.errors import NotReadyError
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Instant, Wire
from aerokeep.steps.shared.asking import host_error
from aerokeep.steps.shared.patience import AT_ONCE_S
from aerokeep.steps.step import Clock, logger

NOT_NOW = 5
"""The host program's exit code for what may well succeed later."""
Body = dict[str, Any]
Parameters = Mapping[str, str]


class Rounds(Wire):
    """How far the asking is; stands in the vault between two looks."""

    begun_at: Instant
    commands: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Instance id → the commands of which one is under way there."""
    done: dict[str, Body] = Field(default_factory=dict)
    """Instance id → the answer that was good."""
    last_words: dict[str, str] = Field(default_factory=dict)
    """Instance id → why it is not done yet."""


class Asker:
    """One run's way to ask its hosts; every command is sent under the run's lock."""

    def __init__(self, run: RunRef, *, runs: Runs, catalog: Catalog, hosts: Hosts, clock: Clock) -> None:
        self._run = run
        self._runs, self._catalog, self._hosts, self._clock = runs, catalog, hosts, clock

    def until(
        self,
        verb: str,
        instance_ids: Iterable[str],
        parameters: Callable[[str], Parameters],
        *,
        accept: Callable[[Body], bool],
        deadline_s: float,
        name: str = "",
    ) -> dict[str, Body] | None:
        """Have every host do ``verb``, which it may be asked any number of times → all good answers, or None: not yet.

        Args:
            verb: what is asked.
            instance_ids: who is asked.
            parameters: of one instance, made when it is asked: presigned addresses live only for minutes.
            accept: whether an answer says that it is done.
            deadline_s: how long after the first question the last host must be done.
            name: tells two uses of one verb in a journey apart.

        Raises:
            AerokeepError: a host refused for good.
            NotReadyError: the deadline has passed; it says who is not done, and why.

        """
        # A run that goes on under a new epoch asks again: what was true before it was halted may not be any more.
        key = f"asked-{name or verb}-{self._run.epoch}"
        rounds = self._runs.find(self._run, key, Rounds) or Rounds(begun_at=self._clock())
        everyone, until = set(instance_ids), self._clock() + timedelta(seconds=AT_ONCE_S)
        rounds = self._take_in(verb, rounds, everyone, accept, until=until)
        waiting = sorted(everyone - rounds.done.keys())
        if waiting and self._clock() >= rounds.begun_at + timedelta(seconds=deadline_s):
            told = "; ".join(
                f"{i}: {rounds.last_words.get(i, 'no answer: check the SSM agent there')}" for i in waiting
            )
            raise NotReadyError(f"not_done: {verb} is not done after {deadline_s:g} s: {told}")
        idle = [instance_id for instance_id in waiting if instance_id not in rounds.commands]
        if idle:
            rounds = self._ask(verb, rounds, idle, parameters, until=until)
        self._runs.write(self._run, key, rounds)
        return None if waiting else {i: rounds.done[i] for i in sorted(everyone)}

    def _take_in(
        self, verb: str, rounds: Rounds, everyone: set[str], accept: Callable[[Body], bool], *, until: datetime
    ) -> Rounds:
        commands, done, words = dict(rounds.commands), dict(rounds.done), dict(rounds.last_words)
        replies = self._replies({i: ids for i, ids in commands.items() if i in everyone}, until=until)
        for instance_id, reply in replies.items():
            match reply.state:
                case CommandState.RUNNING:
                    continue
                case CommandState.LOST:
                    words[instance_id] = f"the command got lost ({reply.status})"
                case CommandState.ANSWERED if reply.refusal is not None:
                    words[instance_id] = _refused(verb, reply)
                case CommandState.ANSWERED if accept(reply.body):
                    done[instance_id] = reply.body
                case CommandState.ANSWERED:
                    words[instance_id] = str(reply.body.get("detail") or reply.body.get("state") or "not yet")
            del commands[instance_id]
        return rounds.model_copy(update={"commands": commands, "done": done, "last_words": words})

    def _replies(self, commands: Mapping[str, tuple[str, ...]], *, until: datetime) -> dict[str, HostReply]:
        """Each instance's answer to its own last question: an earlier one may have gone to it together with others."""
        together: dict[tuple[str, ...], list[str]] = {}
        for instance_id, command_ids in commands.items():
            together.setdefault(command_ids, []).append(instance_id)
        found: dict[str, HostReply] = {}
        for command_ids, instance_ids in together.items():
            if self._clock() >= until:
                break
            told = self._hosts.replies(command_ids, instance_ids)
            found |= {instance_id: told[instance_id] for instance_id in instance_ids}
        return found

    def _ask(
        self,
        verb: str,
        rounds: Rounds,
        idle: list[str],
        parameters: Callable[[str], Parameters],
        *,
        until: datetime,
    ) -> Rounds:
        commands = dict(rounds.commands)
        targets = {instance_id: parameters(instance_id) for instance_id in idle}
        for told, instance_ids in _alike(targets):
            if self._clock() >= until:
                break
            self._catalog.require(self._run)
            sent, reached = self._hosts.send_where_heard(verb, instance_ids, told)
            commands |= dict.fromkeys(reached, tuple(sent))
        logger.info("asked hosts", verb=verb, instances=idle)
        return rounds.model_copy(update={"commands": commands})


def _alike(targets: Mapping[str, Parameters]) -> list[tuple[dict[str, str], list[str]]]:
    """Instances with the same parameters share a command."""
    grouped: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for instance_id, parameters in sorted(targets.items()):
        grouped.setdefault(tuple(sorted(parameters.items())), []).append(instance_id)
    return [(dict(parameters), instance_ids) for parameters, instance_ids in grouped.items()]


def _refused(verb: str, reply: HostReply) -> str:
    if reply.exit_code == NOT_NOW:
        return str(reply.refusal)
    raise host_error(verb, reply)
