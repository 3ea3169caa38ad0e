"""Tags as AWS spells them."""

from collections.abc import Iterable, Mapping
from typing import Any


def tag_list(tags: Mapping[str, str]) -> Any:  # noqa: ANN401 - TypedDicts of several sorts take the same list
    """The list form, in a fixed order."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_map(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """The other way round."""
    return {str(tag.get("Key")): str(tag.get("Value")) for tag in tags or ()}
