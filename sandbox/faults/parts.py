"""What all kinds of faults are written with: names of what is struck, how often, and moments."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from sandbox.faults import known


def _call(text: str) -> str:
    known.call_named(text)
    return text


def _state(text: str) -> str:
    known.states_named(text)
    return text


def _node(given: object) -> object:
    number = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    if not number and not (isinstance(given, str) and given):
        raise ValueError(f"{given!r} is no node; write its number (from 1), address, instance id or name, or all")
    return given


Call = Annotated[str, AfterValidator(_call)]
"""``service.Action``."""
StateName = Annotated[str, AfterValidator(_state)]
"""``journey.State``, or ``State`` of any journey."""
Document = Annotated[str, AfterValidator(known.document_named)]
NodeName = Annotated[int | str, PlainValidator(_node)]
"""Number of a node (from 1, by private address), its address, instance id or name; or ``all``."""
Seconds = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
ALL = "all"


class Part(BaseModel):
    """A part of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _at_most_one(part: BaseModel, *names: str) -> list[str]:
    return [name for name in names if getattr(part, name) not in (None, False)]


class Counted(Part):
    """How often a fault strikes among all that could be struck; once, at the first, if nothing is said."""

    nth: Number | None = None
    first: Number | None = None
    every: bool = False
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int = 1
    """Of ``probability``: the same seed strikes the same ones."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        said = _at_most_one(self, "nth", "first", "every", "probability")
        if len(said) > 1:
            raise ValueError(f"{' and '.join(said)} exclude each other; keep one of them")
        return self


class Moment(Part):
    """When something happens, once."""

    state: StateName | None = None
    """As this state begins."""
    call: Call | None = None
    """As this API is called."""
    document: Document | None = None
    """As this document starts or has ended on a node."""
    node: NodeName = ALL
    phase: Literal["started", "ended"] = "started"
    nth: Number = 1
    """At the nth such state, call or document."""
    after_s: Seconds | None = None
    """So long after the plan was armed."""

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        said = _at_most_one(self, "state", "call", "document", "after_s")
        if self.after_s == 0:
            said.append("after_s")
        if len(set(said)) != 1:
            raise ValueError("names no moment, or several; write one of state, call, document or after_s")
        if self.document is None and {"node", "phase"} & self.model_fields_set:
            raise ValueError("node and phase tell which document; write document too, or leave them out")
        return self
