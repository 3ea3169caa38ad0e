"""SSM command documents: are these parameters allowed, and which script do they make."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.region.faults import ApiError

DEFAULT_EXECUTION_TIMEOUT_S = 3600.0
SHELL_ACTION = "aws:runShellScript"
_PLACE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


@dataclass(frozen=True)
class Script:
    """What a node has to run."""

    step: str
    text: str
    environment: Mapping[str, str]
    timeout_s: float
    platform: str = "Linux"
    """What the step is meant for."""


def check_parameters(content: Mapping[str, Any], given: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The value of every parameter of the document, defaults filled in; a list's values are joined by commas.

    Raises:
        ApiError: ``InvalidParameters``: unknown, required and missing, not allowed, or too long or short.

    """
    known: Mapping[str, Any] = content.get("parameters") or {}
    if unknown := sorted(set(given) - set(known)):
        raise ApiError("InvalidParameters", f"Parameter(s) not supported by the document: {', '.join(unknown)}")
    values = {}
    for name, rules in known.items():
        if name in given:
            if rules["type"] == "String" and len(given[name]) != 1:
                raise ApiError("InvalidParameters", f"Parameter {name} takes one value")
            value = ",".join(given[name])
        elif "default" in rules:
            default = rules["default"]
            value = ",".join(default) if isinstance(default, list) else str(default)
        else:
            raise ApiError("InvalidParameters", f"Parameter {name} is required")
        _check_value(name, value, rules)
        values[name] = value
    return values


def _check_value(name: str, value: str, rules: Mapping[str, Any]) -> None:
    pattern, allowed = rules.get("allowedPattern"), rules.get("allowedValues")
    if pattern and not re.fullmatch(pattern, value):
        raise ApiError("InvalidParameters", f"Parameter {name} does not match {pattern}")
    if allowed and value not in allowed:
        raise ApiError("InvalidParameters", f"Parameter {name} is none of {allowed}")
    if not int(rules.get("minChars", 0)) <= len(value) <= int(rules.get("maxChars", 1 << 20)):
        raise ApiError("InvalidParameters", f"Parameter {name} has a length that is not allowed")


def script_of(content: Mapping[str, Any], values: Mapping[str, str]) -> Script:
    """The one shell step of a document, its placeholders filled in.

    Parameters with ``interpolationType: ENV_VAR`` are given to the script as ``SSM_<name>`` and never spliced into it.

    Raises:
        ApiError: ``InvalidDocumentContent``: not one ``aws:runShellScript`` step.

    """
    steps = [step for step in content.get("mainSteps", []) if step.get("action") == SHELL_ACTION]
    if len(steps) != 1 or len(content["mainSteps"]) != 1:
        raise ApiError("InvalidDocumentContent", f"the sandbox runs documents of one {SHELL_ACTION} step")
    rules: Mapping[str, Any] = content.get("parameters") or {}
    by_environment = {name for name, rule in rules.items() if rule.get("interpolationType") == "ENV_VAR"}

    def fill(text: str) -> str:
        return _PLACE.sub(lambda place: _spliced(place, values, by_environment), text)

    inputs = steps[0]["inputs"]
    lines = inputs["runCommand"]
    text = "\n".join(fill(line) for line in lines) if isinstance(lines, list) else fill(str(lines))
    return Script(
        step=str(steps[0].get("name", "runShellScript")),
        text=text + "\n",
        environment={f"SSM_{name}": values[name] for name in by_environment},
        timeout_s=float(fill(str(inputs.get("timeoutSeconds", DEFAULT_EXECUTION_TIMEOUT_S)))),
        platform=str(steps[0].get("precondition", {}).get("StringEquals", ["platformType", "Linux"])[-1]),
    )


def _spliced(place: re.Match[str], values: Mapping[str, str], by_environment: set[str]) -> str:
    name = place[1]
    if name in by_environment:
        return f"${{SSM_{name}}}"
    return values.get(name, place[0])


def content_of(document: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A document's content as an object (moto keeps text or objects)."""
    if isinstance(document, str):
        parsed: Mapping[str, Any] = json.loads(document)
        return parsed
    return document
