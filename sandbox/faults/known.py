"""What a plan may name: APIs and their actions, states that run a Lambda, and documents of the host program."""

import difflib
import functools
import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
from aerokeep_node.verbs import VERBS

MACHINES = Path(__file__).resolve().parents[2] / "statemachines"
LAMBDA = ":lambda:invoke"
SPELLINGS = {"states": "stepfunctions", "monitoring": "cloudwatch"}
"""Signing names that differ from the names of boto3's clients; a plan may use either."""


@dataclass(frozen=True)
class State:
    """A state that runs a Lambda."""

    journey: str
    name: str

    @property
    def handler(self) -> str:
        """The Lambda's handler: state = module."""
        module = re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()
        return f"aerokeep.steps.{_package(self.journey)}.{module}.handler"

    def __str__(self) -> str:
        """As plans spell it."""
        return f"{self.journey}.{self.name}"


def _package(journey: str) -> str:
    return f"{journey}_" if keyword.iskeyword(journey) else journey.replace("-", "_")


@functools.cache
def states() -> tuple[State, ...]:
    """Every state of the shipped machines that runs a Lambda."""
    return tuple(
        State(path.name.removesuffix(".asl.json"), name)
        for path in sorted(MACHINES.glob("*.asl.json"))
        for name in _running_lambdas(json.loads(path.read_text(encoding="utf-8")))
    )


def _running_lambdas(part: Mapping[str, Any]) -> Iterator[str]:
    for name, state in part.get("States", {}).items():
        if str(state.get("Resource", "")).endswith(LAMBDA):
            yield name
        for inner in (state.get("ItemProcessor"), *state.get("Branches", [])):
            if inner:
                yield from _running_lambdas(inner)


def states_named(text: str) -> tuple[State, ...]:
    """The states that ``journey.State`` or ``State`` means.

    Raises:
        ValueError: none; the message says which are meant perhaps.

    """
    found = tuple(state for state in states() if text in (str(state), state.name))
    if not found:
        spelt = dict.fromkeys(name for state in states() for name in (state.name, str(state)))
        raise ValueError(f"{text!r} is no state that runs a Lambda; {_near(text, list(spelt))}")
    return found


def call_named(text: str) -> tuple[str, str]:
    """(signing name, action) of ``service.Action``.

    Raises:
        ValueError: there is no such API; the message says which is meant perhaps.

    """
    service, dot, action = text.partition(".")
    service = SPELLINGS.get(service, service)
    if not dot or service not in _services():
        raise ValueError(f"{text!r} is no API; write service.Action, such as ec2.CreateSnapshots")
    signing_name, actions = _actions(service)
    if action not in actions:
        raise ValueError(f"{text!r} is no API; {_near(text, [f'{service}.{name}' for name in actions])}")
    return signing_name, action


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@functools.cache
def _services() -> frozenset[str]:
    return frozenset(_session().get_available_services())


@functools.cache
def _actions(service: str) -> tuple[str, Sequence[str]]:
    model = _session().get_service_model(service)
    return str(model.signing_name), tuple(model.operation_names)


def document_named(text: str) -> str:
    """The verb of a document, with or without its prefix.

    Raises:
        ValueError: the host program has no such verb.

    """
    verb = text.rpartition("aerokeep-")[2]
    if verb not in VERBS:
        raise ValueError(f"{text!r} is no document of the host program; write one of {', '.join(VERBS)}")
    return verb


def _near(text: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else f"write one of {', '.join(known)}"
