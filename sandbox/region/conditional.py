"""S3's conditional writes that lose against a deletion which was quicker."""

import time
from collections.abc import Mapping
from typing import Any

from sandbox.region.faults import ApiError

CONFLICT = 409
CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")


class Deletions:
    """When each object was deleted last."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], float] = {}

    def check(self, environ: Mapping[str, Any]) -> None:
        """Note a deletion; refuse a conditional write that had arrived before one and has still to be done.

        Called in the order in which requests take effect.

        Raises:
            ApiError: ``ConditionalRequestConflict`` (409).

        """
        place = (str(environ.get("HTTP_HOST", "")), str(environ.get("PATH_INFO", "")))
        if environ["REQUEST_METHOD"] == "DELETE":
            self._at[place] = time.monotonic()
            return
        conditional = environ["REQUEST_METHOD"] == "PUT" and any(name in environ for name in CONDITIONS)
        if conditional and self._at.get(place, 0.0) > environ["aerokeep.arrived"]:
            message = "The conditional request cannot succeed due to a conflicting operation against this resource."
            raise ApiError("ConditionalRequestConflict", message, status=CONFLICT)
