"""How nouns look on the wire: frozen pydantic models that refuse unknown fields and speak aware UTC datetimes."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Wire(BaseModel):
    """A value that crosses a boundary: a state, the vault, the catalog or a host."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HostWire(BaseModel):
    """A value that a host reports: newer host programs may say more than this code knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must carry a time zone, for instance 2026-11-23T02:00:00Z")
    return value.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_aware)]
"""An aware datetime in UTC; ISO-8601 with ``Z`` on the wire."""


def iso(instant: datetime) -> str:
    """``instant`` as people and AWS read it, to the second: ``2026-11-23T02:00:00Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
