"""A transfer job on a host: the order that it gets, and the reply of the host verbs that start, follow and end it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aerokeep.model.wire import HostWire, Instant, Wire

Partitions = Annotated[str, StringConstraints(pattern=r"^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$")]
"""As asbackup takes them: ``begin-count``, comma between ranges."""
MOST_PARTS = 64
"""So many are told in one reply of a host, which SSM cuts at 24,000 characters."""


class Kind(StrEnum):
    """What a job does."""

    ESTIMATE = "estimate"
    EXPORT = "export"
    IMPORT = "import"
    VERIFY = "verify"


class Mode(StrEnum):
    """How data goes between the tool and the vault."""

    STREAM = "stream"
    """Through pipes: nothing lies on the host's disk."""
    DIRECTORY = "directory"
    """Through files on the host's disk, several at a time."""


class Compression(StrEnum):
    """What compresses the files."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"


class WriteRule(StrEnum):
    """What asrestore does where a record exists already."""

    GENERATION = "generation"
    """Its default: the record with the higher generation stays."""
    UNIQUE = "unique"
    """What exists stays."""
    REPLACE = "replace"
    """What exists is replaced whole, if its generation is not higher."""
    NO_GENERATION = "no-generation"
    """What the export holds is written over whatever exists."""


class Encryption(Wire):
    """The tool's own encryption; the key itself is never in an order, a manifest or a command line."""

    mode: Literal["aes128", "aes256"]
    key: Annotated[str, StringConstraints(pattern=r"^(file:/[\w./-]+|secret:[\w+=,.@:/-]+)$")]
    """``file:<path on the runner>``, root-only, or ``secret:<name or ARN in Secrets Manager>`` (base64)."""


class KeyOrder(Encryption):
    """What the host is told of it."""

    check: str | None = None
    """The check value of the key that the files were written with; another key is refused before anything runs."""


class Server(Wire):
    """The node that the tool asks first."""

    address: str
    port: int = 3000


class Listing(Wire):
    """The list of one part's files, an object of its own beside them."""

    key: str
    sha256: str


class PartOrder(Wire):
    """One run of a tool."""

    name: str
    namespace: str
    partitions: Partitions | None = None
    metadata: bool = True
    """Whether indexes and UDFs go with it: with the first slice of a namespace alone."""
    expected_bytes: int = 0
    """``aws s3 cp -`` chooses its part size by it: without, it ends at some 50 GB."""
    target: str | None = None
    listing: Listing | None = None
    skip: int = 0
    """Files of the listing that an earlier job has restored."""


class Sample(Wire):
    """What is read again from the cluster and compared."""

    partitions: tuple[int, ...]


class TransferOrder(Wire):
    """All that a host needs for one job; it reads this by a presigned URL."""

    kind: Kind
    run: str
    token: str
    """Names this order: the same one again is the same job, and every object that the job writes carries it."""
    server: Server
    bucket: str
    region: str
    prefix: str
    parts: tuple[PartOrder, ...]
    mode: Mode
    directory: str
    at_once: int
    parallel: int
    sets: tuple[str, ...] = ()
    modified_after: str | None = None
    modified_before: str | None = None
    records_per_second: int = 0
    bandwidth_mibps: int = 0
    nice: int = 10
    prefer_rack: int | None = None
    compression: Compression
    encryption: KeyOrder | None = None
    file_mib: int = 250
    needed_mib: int = 0
    begin_at: float | None = None
    end_at: float | None = None
    """Epoch seconds of true time; under the guard the tool runs between them or not at all."""
    silence_s: int
    """A job that nobody has asked after for so long ends by itself."""
    write: WriteRule = WriteRule.GENERATION
    extra_ttl_s: int = 0
    indexes_last: bool = True
    sample: Sample | None = None


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
    method: str = ""
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
    validates: bool = Field(default=False, alias="validate")
    """Whether asrestore can check a file without a server."""
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
    private_ip: str
    node_id: str | None
    """None: an instance beside the cluster."""
    rack_id: int | None = None
    tools: dict[str, str]
    validates: bool
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
