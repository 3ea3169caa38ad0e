"""A logical export: what was asked for, its plan, and the manifest that is its commit mark."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from aerokeep.model.cluster import ClusterConfig, ClusterName, ExportPolicy, RunnerChoice, Verification
from aerokeep.model.run import RunId
from aerokeep.model.transfer import Compared, Runner, Tool
from aerokeep.model.transfer_order import Compression, Encryption, Listing, Mode, Partitions, PartOrder, Server
from aerokeep.model.wire import Instant, Wire

NamespaceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}$")]
SetName = Annotated[str, StringConstraints(pattern=r"^[^\s,:;-][^\s,:;]{0,62}$")]
ExportId = RunId
"""The id of the run that made it: ``demo-export-20261125T120000Z``."""
SCHEMA: Literal[1] = 1
_OF_POLICY = (
    *("runner", "mode", "slices", "at_once", "parallel", "records_per_second", "bandwidth_mibps"),
    *("compression", "encryption", "verify"),
)


class ExportRequest(Wire):
    """The execution input of ``export``."""

    cluster: ClusterName
    scheduled_time: Instant | None = None
    """From the Scheduler: the same scheduled time twice makes one export."""
    namespaces: tuple[NamespaceName, ...] = ()
    """None named: all."""
    sets: tuple[SetName, ...] = ()
    modified_after: Instant | None = None
    """Only records written since then, less the policy's overlap. Deletes are in no incremental export."""
    modified_before: Instant | None = None
    partitions: Partitions | None = None
    exact: bool = False
    """Under the guard, so that no write comes between its first record and its last."""
    sample_partitions: int = Field(default=0, ge=0, le=64)
    """So many partitions are read again from the cluster, and compared."""
    accept_missing_indexes: bool = False
    """Go on where the tool wrote fewer indexes than the cluster has (older tools skip those with a context)."""
    runner: RunnerChoice | None = None
    mode: Mode | None = None
    slices: int | None = Field(default=None, ge=1, le=32)
    at_once: int | None = Field(default=None, ge=1, le=16)
    parallel: int | None = Field(default=None, ge=1, le=64)
    records_per_second: int | None = Field(default=None, ge=0)
    bandwidth_mibps: int | None = Field(default=None, ge=0)
    compression: Compression | None = None
    encryption: Encryption | None = None
    verify: Verification | None = None

    @model_validator(mode="after")
    def _modified_in_order(self) -> "ExportRequest":
        if self.modified_after and self.modified_before and self.modified_after >= self.modified_before:
            raise ValueError("modified_after must lie before modified_before")
        return self

    def policy(self, deployed: ExportPolicy) -> ExportPolicy:
        """The deployed policy, with what this request says otherwise."""
        said = {name: getattr(self, name) for name in _OF_POLICY if getattr(self, name) is not None}
        return deployed.model_copy(update=said)


class ExportOrder(Wire):
    """The request, and the configuration that this run keeps."""

    request: ExportRequest
    config: ClusterConfig
    """With the policy that counts in this run."""


class Live(Wire):
    """What a namespace holds in the cluster when the export begins."""

    namespace: str
    master_objects: int
    indexes: tuple[str, ...]


class ClusterFound(Wire):
    """The cluster and its possible runners, as hosts tell of them."""

    runners: tuple[Runner, ...]
    """The best first."""
    server: Server
    instances: dict[str, str]
    """Node id → instance id of every node."""
    namespaces: tuple[Live, ...]
    udfs: tuple[str, ...]
    builds: dict[str, str]
    """Node id → asd build."""


class Estimated(Wire):
    """What an export will take."""

    record_bytes: dict[str, int]
    """By namespace."""
    total_bytes: int
    """Before compression."""


class ExportPlan(Wire):
    """The verdict of :func:`aerokeep.rules.export_plan.plan_export`."""

    parts: tuple[PartOrder, ...]
    runners: tuple[Runner, ...]
    width: int
    """How many of them work side by side; the others stand in for those that fail."""
    server: Server
    total_bytes: int
    notes: tuple[str, ...]


class ExportedPart(Wire):
    """One slice of a namespace in the vault."""

    name: str
    partitions: str | None
    listing: Listing
    files: int
    stored_bytes: int
    records: int


class ExportedNamespace(Wire):
    """What the tool says that it wrote of a namespace."""

    namespace: str
    records: int
    sindexes: int
    udfs: int
    bytes: int
    """Before compression."""
    indexes: tuple[str, ...]
    """Their names, as the cluster told them when the export began."""
    parts: tuple[ExportedPart, ...]


class Exact(Wire):
    """Between these instants every node rejected writes, and the export ran inside."""

    guarded_from: Instant
    guarded_until: Instant


class ExportManifest(Wire):
    """The commit mark: written last, once, and enough to import without the catalog."""

    schema_version: Literal[1] = SCHEMA
    state: Literal["committed"] = "committed"
    export_id: str
    cluster: ClusterName
    execution: str
    started_at: Instant
    """No record in it is older than what the cluster held then, none younger than ``committed_at``."""
    committed_at: Instant
    tool: Tool
    builds: dict[str, str]
    request: dict[str, Any]
    """The execution input: options of the tool among it."""
    policy: ExportPolicy
    compression: Compression
    encryption: Encryption | None
    key_check: str | None
    """Tells whether a key is the one that the files were written with; says nothing else about it."""
    namespaces: tuple[ExportedNamespace, ...]
    udfs: tuple[str, ...]
    exact: Exact | None
    verified: str
    """How: ``tool``, ``parse`` or ``sizes``."""
    sample: Compared | None = None
    """Where it was asked for: partitions that were read again after the export."""
    notes: tuple[str, ...]

    @property
    def records(self) -> int:
        """Of all namespaces."""
        return sum(namespace.records for namespace in self.namespaces)

    @property
    def sindexes(self) -> int:
        """Of all namespaces."""
        return sum(namespace.sindexes for namespace in self.namespaces)

    @property
    def stored_bytes(self) -> int:
        """Of all files, after compression."""
        return sum(part.stored_bytes for namespace in self.namespaces for part in namespace.parts)

    @property
    def udf_count(self) -> int:
        """UDFs are the cluster's: every namespace's first slice holds them all."""
        return max((namespace.udfs for namespace in self.namespaces), default=0)


class ExportAbandonment(Wire):
    """What stands under the manifest's key when the export was given up."""

    schema_version: Literal[1] = SCHEMA
    state: Literal["abandoned"] = "abandoned"
    export_id: str
    execution: str
    abandoned_at: Instant
    reason: str
