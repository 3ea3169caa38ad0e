"""Every kind of fault, as a plan spells it (docs/faults.md has an example of each)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sandbox.faults.parts import ALL, Call, Counted, Document, Moment, NodeName, Part, Seconds, StateName


def _check_late(fate: str, late_s: float | None) -> None:
    if (fate == "late") != (late_s is not None):
        raise ValueError("fate: late needs late_s, and no other fate has it; add late_s, or take it out")


class ApiFault(Counted):
    """A call is refused, throttled, slow, or its answer lost."""

    kind: Literal["api"]
    call: Call
    answer: Literal["error", "throttle", "lost", "slow"]
    code: str | None = None
    message: str = "the fault plan says so"
    status: Annotated[int, Field(ge=400, le=599)] = 400
    when: Literal["before", "after"] | None = None
    """Whether the call has had its effect; by default ``after`` for ``lost``, else ``before``."""
    slow_s: Seconds | None = None
    state: StateName | None = None
    """Only calls of this state's Lambda."""
    caller: str | None = None
    """Only calls of this role (or ``operator``, ``states``, ``events``); ``*`` stands for any text."""
    node: NodeName = ALL
    """Only calls that name this node's instance id."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.answer == "error") != (self.code is not None):
            raise ValueError("answer: error needs a code, and no other answer has one; add code, or take it out")
        if (self.answer == "slow") != (self.slow_s is not None):
            raise ValueError("answer: slow needs slow_s, and no other answer has it; add slow_s, or take it out")
        return self

    @property
    def effect_first(self) -> bool:
        """The call happens, then the fault."""
        return (self.when or ("after" if self.answer == "lost" else "before")) == "after"

    def __str__(self) -> str:
        """In a few words."""
        return f"{self.answer} {self.call}"


class CommandFault(Counted):
    """An SSM command comes late, never or twice to a node, or hangs there."""

    kind: Literal["command"]
    document: Document
    fate: Literal["late", "lost", "twice", "hung"]
    late_s: Seconds | None = None
    node: NodeName = ALL

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _check_late(self.fate, self.late_s)
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"{self.document} {self.fate} on node {self.node}"


class AgentFault(Part):
    """The SSM agent of a node is dead: SSM says so, and takes no command for it."""

    kind: Literal["agent"]
    node: NodeName
    at: Moment = Moment(after_s=0)
    for_s: Seconds | None = None
    """It then comes back; by default never."""

    def __str__(self) -> str:
        """In a few words."""
        return f"agent dead on node {self.node}"


class SnapshotFault(Counted):
    """A snapshot set of a node goes into ``error`` by one of its members, or stays pending for long."""

    kind: Literal["snapshot"]
    fate: Literal["error", "slow"]
    node: NodeName = ALL
    pending_s: Seconds | None = None
    message: str = "The snapshot failed: the fault plan says so"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.fate == "slow") != (self.pending_s is not None):
            raise ValueError("fate: slow needs pending_s, and error has none; add pending_s, or take it out")
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"snapshot {self.fate} on node {self.node}"


class KmsFault(Counted):
    """A key cannot be used."""

    kind: Literal["kms"]
    breaks: Literal["snapshot", "volume", "call"]
    """A snapshot set, or a volume that is created, goes into ``error``; or calls of KMS are refused."""
    node: NodeName = ALL
    """Only snapshots of this node."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.breaks != "snapshot" and self.node != ALL:
            raise ValueError("node says whose snapshots break; take it out, or write breaks: snapshot")
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"key unusable for a {self.breaks}"


class CapacityFault(Counted):
    """RunInstances finds no capacity."""

    kind: Literal["capacity"]
    types: tuple[str, ...] = ()
    """Instance types; any by default."""

    def __str__(self) -> str:
        """In a few words."""
        return f"no capacity for {' or '.join(self.types) or 'any type'}"


OF_CLOCKS = ("step_s", "synchronised", "noticed", "error_s")


class NodeFault(Part):
    """Something happens to a node itself."""

    kind: Literal["node"]
    act: Literal["power_loss", "asd_crash", "asd_restart", "disk_full", "clock_step"]
    node: NodeName
    at: Moment
    path: Annotated[str, Field(pattern="^/")] = "/"
    """Where the full filesystem is mounted (``disk_full``)."""
    step_s: float = 0.0
    """By how much the clock jumps (``clock_step``)."""
    synchronised: bool = True
    """Whether chronyd calls itself synchronised from then on (``clock_step``)."""
    noticed: bool = True
    """Whether chronyd knows of the jump (``clock_step``)."""
    error_s: Annotated[float, Field(gt=0)] | None = None
    """Within how much chronyd says that it knows the time from then on (``clock_step``)."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        own = {"path": "disk_full", **dict.fromkeys(OF_CLOCKS, "clock_step")}
        for name in sorted(self.model_fields_set & own.keys()):
            if own[name] != self.act:
                raise ValueError(f"{name} belongs to act: {own[name]}; take it out")
        if self.act == "clock_step" and self.step_s == 0 and self.synchronised and self.error_s is None:
            raise ValueError("act: clock_step changes nothing; write step_s, error_s, or synchronised: false")
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"{self.act} of node {self.node}"


class StopFault(Counted):
    """The execution is stopped as a state begins."""

    kind: Literal["stop"]
    state: StateName

    def __str__(self) -> str:
        """In a few words."""
        return f"execution stopped at {self.state}"


class LambdaFault(Counted):
    """The Lambda of a state is killed."""

    kind: Literal["lambda"]
    state: StateName
    killed: Literal["before", "midway", "after"]
    """Before it does anything; when its first change has taken effect; or when all is done, unheard."""

    def __str__(self) -> str:
        """In a few words."""
        return f"Lambda {self.state} killed {self.killed}"


class EventFault(Counted):
    """An event of the default bus is lost, comes twice, or late."""

    kind: Literal["event"]
    source: str
    """``*`` stands for any text."""
    detail_type: str = "*"
    fate: Literal["lost", "twice", "late"]
    late_s: Seconds | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _check_late(self.fate, self.late_s)
        return self

    def __str__(self) -> str:
        """In a few words."""
        return f"event {self.source} {self.fate}"


Fault = Annotated[
    ApiFault
    | CommandFault
    | AgentFault
    | SnapshotFault
    | KmsFault
    | CapacityFault
    | NodeFault
    | StopFault
    | LambdaFault
    | EventFault,
    Field(discriminator="kind"),
]
