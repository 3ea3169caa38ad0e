"""ClientToken: the same request twice gives the same answer once."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.region.faults import ApiError


class Tokens:
    """What was made for which token, per action."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[str, Any]] = {}

    def made(self, action: str, request: Mapping[str, Any]) -> Any:  # noqa: ANN401  # whatever `keep` was given
        """What this request has made before; None if nothing.

        Raises:
            ApiError: the token came with other parameters before.

        """
        token = request.get("ClientToken")
        if not token or (action, token) not in self._made or request.get("DryRun"):
            return None
        before, result = self._made[action, token]
        if before != _print(request):
            message = (
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            )
            raise ApiError("IdempotentParameterMismatch", message)
        return result

    def keep(self, action: str, request: Mapping[str, Any], result: Any) -> None:  # noqa: ANN401  # any result
        """Remember what was made."""
        if (token := request.get("ClientToken")) and not request.get("DryRun"):
            self._made[action, token] = (_print(request), result)


def _print(request: Mapping[str, Any]) -> str:
    told = {key: value for key, value in request.items() if key not in ("Action", "Version", "DryRun")}
    return json.dumps(told, sort_keys=True, default=str)
