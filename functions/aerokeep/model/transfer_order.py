"""The order of a transfer job: what a host is told to export, import, estimate or verify."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from aerokeep.model.wire import Wire

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
    key: Annotated[str, StringConstraints(pattern=r"^(file:/[A-Za-z0-9._/@+-]+|secret:[A-Za-z0-9/_+=.@:-]+)$")]
    """``file:<path on the runner>``, root-only, or ``secret:<name or ARN in Secrets Manager>`` (base64)."""


class KeyOrder(Encryption):
    """What the host is told of it."""

    check: str | None = None
    """The check value of the key that the files were written with; another key is refused before anything runs."""


class Server(Wire):
    """The node that the tool asks first."""

    address: str
    port: int


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

    def document(self) -> dict[str, Any]:
        """As the host reads it: a field that its kind of job has no use for would be refused there."""
        told = self.model_dump(mode="json")
        reads = self.kind in (Kind.IMPORT, Kind.VERIFY)
        for part in told["parts"]:
            for name in ("expected_bytes",) if reads else ("target", "listing", "skip"):
                del part[name]
            if self.kind is Kind.IMPORT:
                del part["partitions"]
        for name in ("write", "extra_ttl_s", "indexes_last") if self.kind is not Kind.IMPORT else ():
            del told[name]
        if self.kind is not Kind.VERIFY:
            del told["sample"]
        return told
