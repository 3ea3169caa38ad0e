"""The import of an export: what was asked for, and the plan that was judged sound."""

from typing import Literal

from pydantic import Field

from aerokeep.model.cluster import ClusterConfig, ClusterName
from aerokeep.model.export import ExportId, ExportManifest, NamespaceName
from aerokeep.model.transfer import Runner
from aerokeep.model.transfer_order import Mode, PartOrder, Server, WriteRule
from aerokeep.model.wire import Wire

LONGEST_TTL_S = 315_360_000
"""The server takes no time to live beyond ten years."""


class ImportRequest(Wire):
    """The execution input of ``import``."""

    cluster: ClusterName
    """The cluster that is written to."""
    export: ExportId
    source_cluster: ClusterName | None = None
    """The cluster that the export was made of, where it is another one (``import_from`` must name it)."""
    namespaces: dict[NamespaceName, NamespaceName] = Field(default_factory=dict)
    """Namespace of the export → namespace that is written to; none named: all, under their own names."""
    dry_run: bool = False
    """Judge and print the plan; nothing is touched, and no lock is taken."""
    write: WriteRule = WriteRule.GENERATION
    extra_ttl_s: int = Field(default=0, ge=0, le=LONGEST_TTL_S)
    """Added to every time to live: for exports that are older than their records' lives."""
    existing: Literal["refuse", "allow"] = "refuse"
    """Whether namespaces that hold records already may be written to; ``write`` says what becomes of the records."""
    force_tool_version: bool = False
    """Read the export with a tool that is older than the one that wrote it."""
    mode: Mode | None = None
    records_per_second: int | None = Field(default=None, ge=0)
    bandwidth_mibps: int | None = Field(default=None, ge=0)
    parallel: int | None = Field(default=None, ge=1, le=64)

    @property
    def source(self) -> str:
        """The cluster that the export was made of."""
        return self.source_cluster or self.cluster


class ImportOrder(Wire):
    """The request, the configuration that this run keeps, and what is imported."""

    request: ImportRequest
    config: ClusterConfig
    manifest: ExportManifest


class Target(Wire):
    """A namespace that is written to, over all nodes of the cluster."""

    namespace: str
    nodes: int
    master_objects: int
    guarded: bool
    stop_writes: bool
    available_pct: int | None
    """The least of all nodes."""


class TargetsFound(Wire):
    """The cluster as its hosts tell of it."""

    runners: tuple[Runner, ...]
    server: Server
    nodes: int
    targets: tuple[Target, ...]
    problems: tuple[str, ...] = ()
    """Nodes that did not answer, or see another cluster."""


class ImportPlan(Wire):
    """The verdict of :func:`aerokeep.rules.import_plan.plan_import` when nothing was refused."""

    export_id: str
    parts: tuple[PartOrder, ...]
    records: dict[str, int]
    """By part."""
    runners: tuple[Runner, ...]
    width: int
    """How many of them work side by side; the others stand in for those that fail."""
    server: Server
    existing: dict[str, int]
    """Namespace that is written to → records that it held before."""
    notes: tuple[str, ...]
