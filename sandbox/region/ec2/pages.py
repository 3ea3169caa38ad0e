"""Answers in pages: a token stands for what is left, so that what is made or deleted meanwhile moves nothing."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.region.faults import ApiError

FEWEST, MOST = 5, 1000


class Pages:
    """The tokens that have been given out."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[str, ...]] = {}
        self._serial = itertools.count(1)

    @staticmethod
    def check(size: int | str | None, *, ids: Sequence[str], words: str) -> None:
        """Look at a request's MaxResults.

        Raises:
            ApiError: it is out of range, or comes with ids.

        """
        if size is None:
            return
        if ids:
            message = f"The parameter {words} cannot be used with the parameter maxResults"
            raise ApiError("InvalidParameterCombination", message)
        if int(size) < FEWEST:
            message = f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {FEWEST}."
            raise ApiError("InvalidParameterValue", message)

    def page(
        self, found: Sequence[Any], size: int | str | None, token: str | None, *, name: Callable[[Any], str]
    ) -> tuple[list[Any], str | None]:
        """One page of `found`, and the token of the next.

        Raises:
            ApiError: the token is none of ours.

        """
        by_name = {name(entry): entry for entry in found}
        if token and token not in self._left:
            raise ApiError("InvalidParameterValue", "Unable to parse pagination token")
        wanted = self._left[token] if token else tuple(by_name)
        most = min(int(size or MOST), MOST) if size or token else len(wanted)
        page, rest = wanted[:most], wanted[most:]
        following = None
        if rest:
            following = f"page-{next(self._serial)}"
            self._left[following] = rest
        return [by_name[entry] for entry in page if entry in by_name], following
