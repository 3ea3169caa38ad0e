"""What the operator configured for one cluster: a row of clusters.yaml, as the synth wrote it to SSM."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from aerokeep.model.consistency import Consistency, Shortfall
from aerokeep.model.transfer_order import Compression, Encryption, Mode
from aerokeep.model.wire import Wire

ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
LONGEST_LEAD_S = 120
LONGEST_LEASE_S = 60
Directory = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)+$")]
DIRECTORY = "/var/lib/aerokeep/transfer"
"""Hosts tell how much room they have here; of another place only the job itself knows."""


class Tag(Wire):
    """The EC2 tag that selects the nodes of a cluster."""

    key: str = Field(min_length=1)
    value: str = Field(min_length=1)


class WriteStop(Wire):
    """How long writes may be stopped and how far ahead a stop is scheduled; hosts refuse more than these bounds."""

    lead_s: float = Field(default=60, ge=3, le=LONGEST_LEAD_S)
    """From the command to T0: SSM must have reached every node by half of it."""
    lease_s: float = Field(default=20, ge=3, le=LONGEST_LEASE_S)
    """From T0 to T1, when every host undoes its own write stop, at most."""
    budget_s: float = Field(default=10, ge=2, le=LONGEST_LEASE_S)
    """How long the operator accepts writes to be stopped; measured against it, and a bound on the lease for a cut."""

    @model_validator(mode="after")
    def _budget_fits_lease(self) -> Self:
        if self.budget_s > self.lease_s:
            raise ValueError(f"budget_s ({self.budget_s:g}) must not exceed lease_s ({self.lease_s:g})")
        return self


class RestorePolicy(Wire):
    """How long a restore may take in its slow parts, and what the account may hold."""

    start_deadline_s: float = Field(default=21_600, gt=0)
    """A cold start reads every used block, from volumes that load as they are read: hours (aerospike.md §D1)."""
    check_deadline_s: float = Field(default=21_600, gt=0)
    """From the last server's start until migrations are over and every gate is passed."""
    volume_deadline_s: float = Field(default=1_800, gt=0)
    """For volumes to become available, detached, attached."""
    volume_quota_tib: int = Field(default=50, gt=0)
    """The account's quota of storage for each volume type."""


class DataPolicy(StrEnum):
    """What a replaced node begins with; docs/runbook.md says what each costs."""

    REATTACH = "reattach"
    """Its own volumes: nothing that was acknowledged is lost, and deletes since its last cold start may come back."""
    EMPTY = "empty"
    """Blank volumes, filled by its peers: no delete comes back, and until then one copy is missing."""
    AUTO = "auto"
    """Empty where the peers hold every copy already, else its own volumes."""


class ReplacePolicy(Wire):
    """How a failed node is replaced."""

    automatic: bool = True
    """Whether an alarm starts it; by hand it can be started in any case."""
    data: DataPolicy = DataPolicy.REATTACH
    cool_down_s: float = Field(default=1_800, ge=0)
    """For so long after a replacement no other one begins: a cluster that loses nodes one by one needs a person."""
    patience_s: float = Field(default=900, gt=0)
    """For each slow act of EC2 and of a boot: stopping, terminating, releasing an address, launching, attaching."""
    join_deadline_s: float = Field(default=43_200, gt=0)
    """From the server's start until it has joined and every migration is over."""


class RunnerChoice(StrEnum):
    """Where asbackup and asrestore run."""

    LEAST_LOADED = "least_loaded"
    """On the node with the lowest load for its processors."""
    TAGGED = "tagged"
    """On instances beside the cluster that carry ``runner_tag``."""
    EACH_RACK = "each_rack"
    """On one node of each rack, which reads from its own rack where it can."""


class Verification(StrEnum):
    """How an export is verified before it is committed."""

    FULL = "full"
    """Every file is read back and parsed by the tool, or by us."""
    SIZES = "sizes"
    """Every file is there with the size that its listing names."""


class ExportPolicy(Wire):
    """How exports and imports run; what an execution input names counts for more."""

    runner: RunnerChoice = RunnerChoice.LEAST_LOADED
    runner_tag: Tag | None = None
    mode: Mode = Mode.STREAM
    directory: Directory = DIRECTORY
    """On the runner; directory mode alone needs space there."""
    slices: int = Field(default=1, ge=1, le=32)
    """Files per namespace in stream mode (directory mode cuts by size); each is tried again by itself."""
    at_once: int = Field(default=1, ge=1, le=16)
    """Slices that one runner exports side by side."""
    parallel: int = Field(default=4, ge=1, le=64)
    """The tool's own threads; in directory mode also files that are up- or downloaded side by side."""
    file_mib: int = Field(default=250, ge=1)
    records_per_second: int = Field(default=0, ge=0)
    """0: no limit."""
    bandwidth_mibps: int = Field(default=0, ge=0)
    """0: no limit."""
    nice: int = Field(default=10, ge=0, le=19)
    compression: Compression = Compression.GZIP
    encryption: Encryption | None = None
    overlap_s: int = Field(default=600, ge=0)
    """How far before ``modified_after`` an incremental export begins: clocks of nodes differ."""
    verify: Verification = Verification.FULL
    tries: int = Field(default=3, ge=1, le=10)
    """Of each part."""
    deadline_s: float = Field(default=43_200, gt=0)
    """From the first job to the end of the last one."""
    runner_silence_s: float = Field(default=300, gt=0)
    """A runner that does not answer for so long is given up, and its parts go to another one."""
    silence_s: int = Field(default=1_800, ge=60)
    """A job that nobody asks after for so long ends by itself."""
    import_from: tuple[ClusterName, ...] = ()
    """Clusters whose exports may be imported into this one, beside its own."""


class ClusterConfig(Wire):
    """One cluster; source: the SSM parameter ``/aerokeep/clusters/<name>``."""

    name: ClusterName
    tag: Tag
    consistency: Consistency = Consistency.CLUSTER
    shortfall: Shortfall = Shortfall.ABORT
    write_stop: WriteStop = WriteStop()
    snapshot_deadline_s: float = Field(default=14_400, gt=0)
    """How long snapshots may stay pending before the point is given up."""
    not_saved: tuple[str, ...] = ()
    """Namespaces in memory without persistence that the operator knows are not in any recovery point."""
    kms_keys: tuple[str, ...] = ()
    restore: RestorePolicy = RestorePolicy()
    replace: ReplacePolicy = ReplacePolicy()
    export: ExportPolicy = ExportPolicy()
