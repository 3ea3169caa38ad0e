"""Read a fault plan, and report every mistake in it at once: line, field and remedy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.yaml_mistakes import (
    REMEDIES,
    NotYamlError,
    Place,
    all_of,
    keys_given_twice,
    line_of,
    models_in,
    parsed,
    unknown,
)
from sandbox.faults.kinds import Fault
from sandbox.faults.plan import Plan

KINDS: Mapping[str, type[BaseModel]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(get_args(Fault)[0])
}
_NUMBER = "{input!r} is no number; write one"
_REMEDIES = {
    **REMEDIES,
    "enum": "{input!r} is not one of the choices; write {expected}",
    "union_tag_not_found": "has no kind; add kind: and one of {kinds}",
    "union_tag_invalid": "{tag!r} is no kind of fault; write one of {kinds}",
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_parsing": "{input!r} is neither true nor false; write one of them",
    "greater_than": "{input!r} is too small; write more than {gt}",
    "string_too_short": "is empty; write something",
    "string_pattern_mismatch": "{input!r} does not fit; write what matches {pattern}",
    "tuple_type": "{input!r} is no list; write one `- entry` a line",
    "model_type": "{input!r} is no mapping; write fields below it",
    "model_attributes_type": "{input!r} is no mapping; write fields below it",
}


class PlanError(Exception):
    """Every mistake of one plan, a line each; the message is for people as it is."""

    def __init__(self, name: str, mistakes: list[str]) -> None:
        super().__init__(f"{name}: {all_of(name, mistakes)}")


def read_plan(path: Path) -> Plan:
    """Read and check a plan.

    Raises:
        PlanError: with every mistake found, in the order of the file.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(path.name, [f" cannot be read ({error}); name a plan, as those below docs/faults"]) from error
    return plan_of(text, name=path.name)


def plan_of(text: str, *, name: str = "plan") -> Plan:
    """Check a plan's text.

    Raises:
        PlanError: with every mistake found, in the order of the text.

    """
    try:
        root, document = parsed(text)
    except NotYamlError as error:
        raise PlanError(name, [str(error)]) from error
    mistakes = list(keys_given_twice(root, ()))
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        mistakes += [_mistake(root, detail) for detail in error.errors(include_url=False)]
    if mistakes:
        raise PlanError(name, [f"{line}: {said}" for line, said in sorted(set(mistakes))])
    return plan


def _mistake(root: yaml.Node | None, detail: ErrorDetails) -> tuple[int, str]:
    place = _place(detail["loc"])
    field = ".".join(str(part) for part in place) or "the whole plan"
    return line_of(root, place), f"{field}: {_remedy(detail, place)}"


def _place(loc: Place) -> Place:
    """Without pydantic's mark of a union: the kind after a fault's number."""
    match loc:
        case ("faults", int(), kind, *_) if kind in KINDS:
            return (*loc[:2], *loc[3:])
    return loc


def _remedy(detail: ErrorDetails, place: Place) -> str:
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "value_error":  # raised beside the fields, where each message says what to write
        return str(context["error"])
    if kind == "extra_forbidden":
        known = _fields_at(detail["loc"][:-1])
        return unknown(str(place[-1]), known)
    values = {"input": detail["input"], "kinds": ", ".join(KINDS), **context}
    return _REMEDIES.get(kind, detail["msg"] + "; see docs/faults.md").format_map(values)


def _fields_at(loc: Place) -> list[str]:
    """Name the fields that the section at ``loc`` knows."""
    model: type[BaseModel] = Plan
    for part in loc:
        if part in KINDS and model is Plan:
            model = KINDS[str(part)]
        elif part in model.model_fields and part != "faults":
            model = next(models_in(model.model_fields[str(part)].annotation), model)
    return sorted(model.model_fields)
