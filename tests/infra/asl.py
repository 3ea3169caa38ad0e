"""Read a state machine's definition and find what breaks a convention or cannot work on AWS."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session

State = dict[str, Any]

LAMBDA = "arn:aws:states:::lambda:invoke"
SDK = re.compile(r"arn:aws:states:::aws-sdk:(?P<service>\w+):(?P<action>\w+)(?:\.waitForTaskToken)?")
# Step Functions names a few services as the Java SDK does.
SDK_SERVICES = {"sfn": "stepfunctions", "cloudwatchlogs": "logs", "eventbridge": "events"}
RETRIED = {"TransientError", "Lambda.ServiceException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"}
NEVER_RETRIED = {"StopWrites", "CutSnapshots"}
CLEAN_UPS = {"AbandonPoint", "RollBack", "HaltRestore", "HaltReplacement", "AbandonExport", "HaltImport"}
"""Where failures lead: each ends, by itself or by the next one, in the Fail that keeps the first error."""


def states(definition: Mapping[str, Any]) -> Iterator[tuple[str, State]]:
    """Every state, also those of Parallel branches and Map processors."""
    for name, state in definition["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from states(inner)


def lambda_states(definition: Mapping[str, Any]) -> dict[str, State]:
    return {name: state for name, state in states(definition) if state.get("Resource") == LAMBDA}


def sdk_findings(definition: Mapping[str, Any]) -> list[str]:
    """SDK actions that AWS does not have: no linter sees them."""
    findings = []
    for name, state in states(definition):
        if match := SDK.fullmatch(state.get("Resource", "")):
            service, action = match["service"], match["action"]
            if action[0].upper() + action[1:] not in _operations(SDK_SERVICES.get(service, service)):
                findings.append(f"{name}: AWS has no {service}:{action}")
    return findings


@cache
def _operations(service: str) -> frozenset[str]:
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return frozenset()
    return frozenset(session.get_service_model(service).operation_names)


def timeout_findings(definition: Mapping[str, Any], function_timeouts_s: Mapping[str, int]) -> list[str]:
    """A state must outlast its function, else it reports a timeout of a Lambda that is still at work."""
    findings = [] if isinstance(definition.get("TimeoutSeconds"), int) else ["the machine has no TimeoutSeconds"]
    for name, state in states(definition):
        if state["Type"] == "Task" and state.get("TimeoutSeconds", 0) <= function_timeouts_s.get(name, 0):
            findings.append(f"{name}: TimeoutSeconds does not exceed its function's {function_timeouts_s.get(name, 0)}")
    return findings


def retry_findings(definition: Mapping[str, Any]) -> list[str]:
    findings = []
    for name, state in states(definition):
        for retry in state.get("Retry", ()):
            if name in NEVER_RETRIED:
                findings.append(f"{name}: a second try needs a fresh budget, so it has no Retry")
            if set(retry["ErrorEquals"]) != RETRIED:
                findings.append(f"{name}: Retry names {sorted(retry['ErrorEquals'])}")
            if (retry.get("BackoffRate"), retry.get("JitterStrategy")) != (2.0, "FULL"):
                findings.append(f"{name}: Retry needs BackoffRate 2.0 and JitterStrategy FULL")
    return findings


def catch_findings(definition: Mapping[str, Any]) -> list[str]:
    """Every failure leads into a clean-up, and every way out of a clean-up into a Fail that keeps the first error."""
    findings = []
    for name, state in states(definition):
        if name in CLEAN_UPS:
            ends = {definition["States"][end]["Type"] for end in _ends(definition, name)}
            if ends != {"Fail"}:
                findings.append(f"{name}: ends elsewhere than in a Fail")
        elif state["Type"] in {"Task", "Parallel", "Map"}:
            catches = [(catch["ErrorEquals"], catch["Next"] in CLEAN_UPS) for catch in state.get("Catch", ())]
            if catches != [(["States.ALL"], True)]:
                findings.append(f"{name}: Catch is {state.get('Catch')}, not States.ALL → a clean-up")
            elif "failure" not in state["Catch"][0].get("Assign", {}):
                findings.append(f"{name}: Catch does not keep the error in $failure")
    return findings


def _ends(definition: Mapping[str, Any], start: str) -> set[str]:
    """The states without a successor that can be reached from one."""
    seen, open_ = set(), [start]
    while open_:
        name = open_.pop()
        if name not in seen:
            seen.add(name)
            open_ += _successors(definition["States"][name])
    return {name for name in seen if not _successors(definition["States"][name])}


def _successors(state: State) -> list[str]:
    rules = (*state.get("Catch", ()), *state.get("Choices", ()))
    return [rule["Next"] for rule in rules] + [state[key] for key in ("Next", "Default") if key in state]


def error_names(definition: Mapping[str, Any]) -> set[str]:
    """Names in Retry, Catch and Fail that are ours: no dot, and no expression."""
    named = {
        error
        for _, state in states(definition)
        for rule in (*state.get("Retry", ()), *state.get("Catch", ()))
        for error in rule["ErrorEquals"]
    } | {state["Error"] for _, state in states(definition) if "Error" in state}
    return {error for error in named if "." not in error and not error.startswith("{%")}
