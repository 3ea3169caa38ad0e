"""Read clusters.yaml, and report every mistake in it at once: file, line, field and remedy."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from infra.config import Config
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

_WHOLE_NUMBER = "{input!r} is no whole number; write one"
_MAPPING = "{input!r} is no mapping; write fields below it ({fields})"
_REMEDIES = {
    **REMEDIES,
    "too_short": "is empty; add at least one entry",
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "tuple_type": "{input!r} is no list; write [a, b] or one `- entry` a line",
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dict_type": "{input!r} is no mapping; write one name a line, and its fields below it",
}


class ConfigError(Exception):
    """Every mistake of one file, a line each; the message is for the operator as it is."""

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        super().__init__(f"{path}: {all_of(path.name, mistakes)}")


def read_config(path: Path) -> Config:
    """Read and check the operator's file.

    Raises:
        ConfigError: with every mistake found, in the order of the file.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, [f" cannot be read ({error.strerror}); create it from the README's example"]) from error
    try:
        root, document = parsed(text)
    except NotYamlError as error:
        raise ConfigError(path, [str(error)]) from error
    mistakes = list(keys_given_twice(root, ()))
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        mistakes += [_mistake(root, detail) for detail in error.errors(include_url=False)]
    if mistakes:
        raise ConfigError(path, [f"{line}: {said}" for line, said in sorted(mistakes)])
    return config


def _mistake(root: yaml.Node | None, detail: ErrorDetails) -> tuple[int, str]:
    place = tuple(part for part in detail["loc"] if part != "[key]")
    field = ".".join(str(part) for part in place) or "the whole file"
    return line_of(root, place), f"{field}: {_remedy(detail, place)}"


def _remedy(detail: ErrorDetails, place: Place) -> str:
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "value_error":  # raised in infra/config.py, where each message says what to write
        return str(context["error"])
    if kind == "extra_forbidden":
        known = _fields_at(place[:-1])
        return unknown(str(place[-1]), known)
    values = {"input": detail["input"], "fields": ", ".join(_fields_at(place)), **context}
    return _REMEDIES.get(kind, detail["msg"] + "; see the comments in clusters.yaml").format_map(values)


def _fields_at(place: Place) -> list[str]:
    """Name the fields that the section at ``place`` knows."""
    model: type[BaseModel] = Config
    for part in place:
        if part in model.model_fields:  # a cluster's name is no field: what stands below it is still a Cluster
            model = next(models_in(model.model_fields[str(part)].annotation), model)
    return sorted(model.model_fields)
