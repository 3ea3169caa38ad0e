"""EC2's filters: how many values one takes."""

from collections.abc import Iterable, Iterator

MOST_VALUES = 200
"""A filter takes at most 200 values (EC2 user guide, resource filtering): a cluster may have more nodes."""


def portions(values: Iterable[str]) -> Iterator[list[str]]:
    """The values, each once and in order, in lists that a filter takes; nothing for none."""
    wanted = sorted(set(values))
    for start in range(0, len(wanted), MOST_VALUES):
        yield wanted[start : start + MOST_VALUES]
