"""A transfer job on a host: the reply of the verbs that start, follow and end it, and how far a run's jobs are."""

from enum import StrEnum

from pydantic import Field

from aerokeep.model.transfer_order import Kind, Server
from aerokeep.model.wire import HostWire, Instant, Wire


class Tool(HostWire):
    """A tool and its version."""

    name: str
    version: str


class Told(HostWire):
    """Why a part failed."""

    code: str
    detail: str = ""


class ToldListing(HostWire):
    """Where the list of a part's files lies, as the job wrote it."""

    key: str
    sha256: str
    size: int


class Summary(HostWire):
    """What asbackup says that it wrote."""

    records: int
    sindexes: int
    udfs: int
    bytes: int


class Estimate(HostWire):
    """What asbackup found in a sample."""

    record_bytes: int


class Compared(HostWire):
    """A sample of what was exported beside what the cluster holds now; clients may have written in between."""

    records: int = 0
    """In the export."""
    missing: int = 0
    """In the export alone."""
    added: int = 0
    """In the cluster alone."""
    changed: int = 0

    def plus(self, other: "Compared") -> "Compared":
        """Both together."""
        return Compared(**{name: getattr(self, name) + getattr(other, name) for name in Compared.model_fields})


class Counters(HostWire):
    """What asrestore says became of the records that it read."""

    records: int = 0
    inserted: int = 0
    existed: int = 0
    fresher: int = 0
    expired: int = 0
    skipped: int = 0
    ignored: int = 0

    def plus(self, other: "Counters") -> "Counters":
        """Both together."""
        return Counters(**{name: getattr(self, name) + getattr(other, name) for name in Counters.model_fields})


class PartState(StrEnum):
    """How far a part is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class PartStatus(HostWire):
    """One part of a job."""

    name: str
    state: PartState
    percent: float = 0
    rate: float = 0
    """Records per second."""
    remaining_s: float | None = None
    files: int = 0
    bytes: int = 0
    """Stored, after compression."""
    listing: ToldListing | None = None
    summary: Summary | None = None
    estimate: Estimate | None = None
    files_done: int = 0
    """A prefix of the listing."""
    begun: bool = False
    """Whether the file after these was begun."""
    counters: Counters = Counters()
    sindexes: int = 0
    udfs: int = 0
    method: str | None = None
    """``tool`` or ``parse``, where something was verified."""
    sample: Compared | None = None
    error: Told | None = None


class JobState(StrEnum):
    """How a job is."""

    NONE = "none"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"
    """It was killed: it never said that it ended."""


class Facts(HostWire):
    """What a host has for a job."""

    tools: dict[str, str | None] = Field(default_factory=dict)
    programs: dict[str, bool] = Field(default_factory=dict)
    load: float = 0
    cpus: int = 1
    free_mib: int = 0


class JobStatus(HostWire):
    """The reply of ``export``, ``import``, ``status`` and ``cancel``."""

    state: JobState
    kind: Kind | None = None
    token: str | None = None
    tool: Tool | None = None
    key_check: str | None = None
    began_at: float | None = None
    ended_at: float | None = None
    """Epoch seconds, the host's clock."""
    parts: tuple[PartStatus, ...] = ()
    detail: str = ""
    facts: Facts | None = None


class Runner(Wire):
    """A host that runs jobs."""

    instance_id: str
    node_id: str | None
    """None: an instance beside the cluster."""
    server: Server | None
    """Its own, which it asks first; None: an instance beside the cluster."""
    rack_id: int | None = None
    tools: dict[str, str]
    load: float
    free_mib: int


class Tried(Wire):
    """What is known of one part over all jobs that had it."""

    name: str
    tries: int = 0
    runner: str | None = None
    """The instance that has it now."""
    status: PartStatus | None = None
    """The last word of the job that has it, or had it last."""
    files_done: int = 0
    counters: Counters = Counters()
    sindexes: int = 0
    udfs: int = 0
    """Of earlier jobs: what they restored for sure."""
    repeated: bool = False
    """Whether a file was begun twice: what the first try wrote is met again by the second."""
    done: bool = False


class Job(Wire):
    """A job that was ordered from one runner."""

    runner: str
    token: str
    parts: tuple[str, ...]
    begun: bool = False
    """Whether the host has said that it has the order."""
    commands: tuple[str, ...] = ()
    """The question under way."""
    heard_at: Instant
    """When the host last answered, or was first asked."""
    words: str = ""
    """Why it has not begun yet."""


class Transfer(Wire):
    """How far all parts of a run are; stands in the vault between two looks."""

    epoch: int
    """Of the lock, under which it was last looked at."""
    begun_at: Instant
    parts: tuple[Tried, ...]
    jobs: tuple[Job, ...] = ()
    lost: dict[str, str] = Field(default_factory=dict)
    """Runners that are not asked any more, and why."""
    tool: Tool | None = None
    key_check: str | None = None
    ended_at: float | None = None
    """By the clock of the runner whose job ended last."""

    @property
    def done(self) -> bool:
        """Whether every part is."""
        return all(part.done for part in self.parts)

    @property
    def touched(self) -> bool:
        """Whether a tool may have run: a host that refused an order before it began did nothing."""
        return bool(self.jobs or self.lost) or any(part.done or part.tries for part in self.parts)
