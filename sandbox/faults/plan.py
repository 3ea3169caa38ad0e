"""The fault plan as it is written: what is to break, on what settings, and which ends are honest."""

from typing import Annotated, Literal, Self

from aerokeep.model.consistency import Consistency, Shortfall
from pydantic import AfterValidator, Field, model_validator

from sandbox.faults.kinds import Fault
from sandbox.faults.parts import Part


class Settings(Part):
    """What the demo's cluster is configured with instead of what was deployed (clusters.yaml)."""

    consistency: Consistency | None = None
    shortfall: Shortfall | None = None


class Expectation(Part):
    """One honest end of the demo."""

    outcome: Literal["aborted", "cluster", "node", "crash"]
    """The recovery point's label, or that there is none."""
    code: str | None = None
    """What the failed execution's message begins with, or its error where the message has no code."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.code is not None and self.outcome != "aborted":
            raise ValueError("code tells why a run was aborted; take it out, or write outcome: aborted")
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"{self.outcome} ({self.code})" if self.code else self.outcome


def _some(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    if not faults:
        raise ValueError("is empty; add at least one fault")
    return faults


class Plan(Part):
    """A fault plan."""

    title: str = Field(min_length=1)
    """One sentence: what breaks."""
    why: str = ""
    """What should come of it, and why."""
    settings: Settings = Settings()
    faults: Annotated[tuple[Fault, ...], AfterValidator(_some)]
    expect: tuple[Expectation, ...] = ()
    """Any of these is honest; a demo needs at least one."""
