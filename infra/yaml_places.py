"""Where in a YAML file something stands, for messages that name the line."""

from collections.abc import Iterator

import yaml

Place = tuple[str | int, ...]


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
