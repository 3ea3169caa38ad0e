"""Mistakes in YAML files: where they stand, and what to do about them."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

Place = tuple[str | int, ...]
REMEDIES: Mapping[str, str] = {
    "missing": "is missing; add it",
    "literal_error": "{input!r} is not one of the choices; write {expected}",
    "greater_than_equal": "{input!r} is too small; write {ge} or more",
    "less_than_equal": "{input!r} is too large; write {le} or less",
    "string_type": "{input!r} is no text; put it in quotes",
}
"""By pydantic's type of error."""


class NotYamlError(Exception):
    """The text is no YAML; the message names the line and the remedy."""


def parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The text as a tree that knows its lines, and as data.

    Raises:
        NotYamlError: it is none.

    """
    try:
        document = yaml.safe_load(text)
        return yaml.compose(text, Loader=yaml.SafeLoader), {} if document is None else document
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise NotYamlError(f"{mark.line + 1 if mark else 1}: is not YAML: {said}; correct this line") from error


def all_of(name: str, mistakes: Sequence[str]) -> str:
    """Every mistake of one file, a line each."""
    many = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake"
    return "\n".join([many, *(f"  {name}:{mistake}" for mistake in mistakes)])


def unknown(name: str, known: Sequence[str]) -> str:
    """What to do about a field that nobody knows."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"is not known; {f'did you mean {near[0]}?' if near else 'remove it, or use'} ({', '.join(known)})"


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401  # annotations have no common type
    """The models that a field's type speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


def line_of(root: yaml.Node | None, place: Place) -> int:
    """Find the line (from 1) of the deepest part of ``place`` that the file holds."""
    node, line = root, 1
    for part in place:
        match node:
            case yaml.MappingNode():
                pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
                pair = (node.value[part], node.value[part])
            case _:
                pair = None
        if pair is None:
            return line
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def keys_given_twice(node: yaml.Node | None, place: Place) -> Iterator[tuple[int, str]]:
    """YAML lets the last of two equal keys win silently, so a cluster written twice would vanish."""
    if isinstance(node, yaml.SequenceNode):
        for index, entry in enumerate(node.value):
            yield from keys_given_twice(entry, (*place, index))
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        here = (*place, str(key.value))
        line = key.start_mark.line + 1
        if (first := seen.setdefault(str(key.value), line)) != line:
            yield line, f"{'.'.join(map(str, here))}: stands already in line {first}; remove one of the two"
        yield from keys_given_twice(value, here)
