"""What the operator may say in clusters.yaml, typed and checked; each refusal says what to write instead."""

import math
import re
import zoneinfo
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from infra.schedule_expression import wrong_with_schedule
from infra.schedule_gap import longest_gap_hours

# The machine's own TimeoutSeconds ends a run that waits for snapshots longer than this (a test compares them).
LONGEST_SNAPSHOT_DEADLINE_S = 18_000

# The same for a restore: two such parts, twice if it has to go back, and the rest.
LONGEST_PART_OF_A_RESTORE_S = 36_000
# And for the replacement of a node: it waits so long for the server's start, and as long again for its join.
LONGEST_JOIN_S = 86_400
LONGEST_PATIENCE_S = 7_200
# And for an export or an import, with the estimate before it and the verification after it.
LONGEST_TRANSFER_S = 64_800

# A backup that is due may take so long before its point is there.
BACKUP_TAKES_HOURS = 2
# Two years: CloudWatch keeps no value for longer than 15 months, but a point may well be older.
LONGEST_RPO_HOURS = 17_520


def _matching(pattern: str, remedy: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{value!r} does not fit; {remedy}")
        return value

    return AfterValidator(check)


def _time_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError(f"{value!r} is no IANA time zone; write for example Europe/Berlin or UTC")
    return value


def _expression(value: str) -> str:
    if wrong := wrong_with_schedule(value):
        raise ValueError(wrong)
    return value


# The name goes into recovery point ids, S3 keys, SSM parameter and schedule names (64 characters at most).
ClusterName = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{0,39}", "use a-z, 0-9 and -, a letter first, 40 characters at most")
]
# EC2 filters and IAM take * and ? as wildcards, so a tag that holds one would select more than it says.
TagKey = Annotated[str, _matching(r"[\w .:/=+@-]{1,128}", "write the key of an EC2 tag (no wildcards)")]
TagValue = Annotated[str, _matching(r"[\w .:/=+@-]{1,256}", "write the value of an EC2 tag (no wildcards)")]
Namespace = Annotated[str, _matching(r"[\w$-]{1,31}", "write an Aerospike namespace name")]
Email = Annotated[str, _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "write an e-mail address such as sre@example.com")]
RoleArn = Annotated[
    str,
    _matching(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", "write arn:aws:iam::<account>:role/<name>"),
]
KeyArn = Annotated[
    str,
    _matching(
        r"arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+",
        "write arn:aws:kms:<region>:<account>:key/<id> (an alias can move, so it is not taken)",
    ),
]
SubnetId = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}", "write subnet-<hex digits>")]


class Section(BaseModel):
    """A mapping of the file: fixed once read, and nothing in it goes unread."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tag(Section):
    """The EC2 tag that selects the nodes of a cluster."""

    key: TagKey
    value: TagValue


class Schedule(Section):
    """When EventBridge Scheduler starts a backup."""

    expression: Annotated[str, AfterValidator(_expression)]
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"


class WriteStop(Section):
    """How long writers may have to wait, and how far ahead the hosts are armed (design §4)."""

    lead_s: int = Field(default=60, ge=5, le=120)
    lease_s: int = Field(default=20, ge=3, le=60)
    budget_s: int = Field(default=10, ge=2, le=60)

    @model_validator(mode="after")
    def _budget_ends_before_the_lease(self) -> Self:
        if self.budget_s > self.lease_s:
            raise ValueError(
                f"budget_s {self.budget_s} outlasts lease_s {self.lease_s}, after which every host undoes its write "
                f"stop; set budget_s to {self.lease_s} or less, or lease_s to {self.budget_s} or more (60 at most)"
            )
        return self


class Restore(Section):
    """How long the slow parts of a restore may take, and what the account may hold."""

    start_deadline_s: int = Field(default=21_600, ge=60, le=LONGEST_PART_OF_A_RESTORE_S)
    check_deadline_s: int = Field(default=21_600, ge=60, le=LONGEST_PART_OF_A_RESTORE_S)
    volume_deadline_s: int = Field(default=1_800, ge=60, le=7_200)
    volume_quota_tib: int = Field(default=50, ge=1)


class Replace(Section):
    """How a failed node is replaced."""

    automatic: bool = True
    data: Literal["reattach", "empty", "auto"] = "reattach"
    cool_down_s: int = Field(default=1_800, ge=0)
    patience_s: int = Field(default=900, ge=60, le=LONGEST_PATIENCE_S)
    join_deadline_s: int = Field(default=43_200, ge=60, le=LONGEST_JOIN_S)


class Encryption(Section):
    """The tool's own encryption of exports."""

    mode: Literal["aes128", "aes256"]
    key: Annotated[
        str,
        _matching(
            r"file:/[A-Za-z0-9._/@+-]+|secret:[A-Za-z0-9/_+=.@:-]+",
            "write file:<path on the runner> or secret:<name in Secrets Manager>",
        ),
    ]


class Export(Section):
    """How exports and imports run (docs/export.md)."""

    schedule: Schedule | None = None
    runner: Literal["least_loaded", "tagged", "each_rack"] = "least_loaded"
    runner_tag: Tag | None = None
    mode: Literal["stream", "directory"] = "stream"
    directory: Annotated[
        str,
        _matching(
            r"/(?!\.\.?/)[A-Za-z0-9._@+-]+(/(?!\.\.?(/|$))[A-Za-z0-9._@+-]+)+",
            "write an absolute path on the runner, two levels deep or more and without ..",
        ),
    ] = "/var/lib/aerokeep/transfer"
    slices: int = Field(default=1, ge=1, le=32)
    at_once: int = Field(default=1, ge=1, le=16)
    parallel: int = Field(default=4, ge=1, le=64)
    file_mib: int = Field(default=250, ge=1)
    records_per_second: int = Field(default=0, ge=0)
    bandwidth_mibps: int = Field(default=0, ge=0)
    nice: int = Field(default=10, ge=0, le=19)
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    encryption: Encryption | None = None
    overlap_s: int = Field(default=600, ge=0)
    verify: Literal["full", "sizes"] = "full"
    tries: int = Field(default=3, ge=1, le=10)
    deadline_s: int = Field(default=43_200, ge=60, le=LONGEST_TRANSFER_S)
    runner_silence_s: int = Field(default=300, ge=60, le=3_600)
    silence_s: int = Field(default=1_800, ge=300, le=86_400)
    import_from: tuple[ClusterName, ...] = ()

    @model_validator(mode="after")
    def _tag_goes_with_tagged(self) -> Self:
        if (self.runner == "tagged") != (self.runner_tag is not None):
            raise ValueError("runner: tagged and runner_tag go together; write both, or neither")
        return self

    @model_validator(mode="after")
    def _encrypted_bytes_do_not_compress(self) -> Self:
        if self.encryption is not None and self.compression == "gzip":
            raise ValueError("encrypted bytes do not compress; write compression: zstd (by the tool itself) or none")
        return self


class Notifications(Section):
    """Who hears of executions that did not succeed."""

    emails: tuple[Email, ...] = ()


class Cluster(Section):
    """One Aerospike cluster and how it is backed up."""

    tag: Tag
    schedule: Schedule | None = None
    consistency: Literal["cluster", "node", "crash"] = "cluster"
    shortfall: Literal["abort", "degrade"] = "abort"
    write_stop: WriteStop = WriteStop()
    rpo_hours: int | None = Field(default=None, ge=1, le=LONGEST_RPO_HOURS)
    snapshot_deadline_s: int = Field(default=14_400, ge=60, le=LONGEST_SNAPSHOT_DEADLINE_S)
    not_saved: tuple[Namespace, ...] = ()
    restore: Restore = Restore()
    replace: Replace = Replace()
    export: Export = Export()
    instance_roles: tuple[RoleArn, ...] = ()
    kms_keys: tuple[KeyArn, ...] = ()
    subnets: tuple[SubnetId, ...] = ()

    @model_validator(mode="after")
    def _age_can_be_judged(self) -> Self:
        if self.rpo_hours is not None or self.schedule is None:
            return self
        if longest_gap_hours(self.schedule.expression) is None:
            raise ValueError(
                f"how old the newest point may get can't be told from {self.schedule.expression}; "
                "write rpo_hours: <hours after which an alarm is due>"
            )
        return self

    @property
    def oldest_point_hours(self) -> int | None:
        """How old the newest point may get before an alarm is due; None where backups are only started by hand."""
        if self.rpo_hours is not None or self.schedule is None:
            return self.rpo_hours
        return math.ceil(longest_gap_hours(self.schedule.expression) or 0) + BACKUP_TAKES_HOURS

    def parameter(self, name: str) -> dict[str, Any]:
        """Shape what the Lambdas read from the SSM parameter ``/aerokeep/clusters/<name>``."""
        told = {"tag", "consistency", "shortfall", "write_stop", "snapshot_deadline_s", "not_saved", "kms_keys"}
        told |= {"restore", "replace", "export"}
        shaped = self.model_dump(mode="json", include=told)
        shaped["export"].pop("schedule")
        return {"name": name, **shaped}


class Config(Section):
    """The whole file."""

    notifications: Notifications = Notifications()
    clusters: dict[ClusterName, Cluster] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_node_in_two_clusters(self) -> Self:
        owner: dict[Tag, str] = {}
        for name, cluster in self.clusters.items():
            if (other := owner.setdefault(cluster.tag, name)) != name:
                raise ValueError(
                    f"clusters {other} and {name} have the same tag {cluster.tag.key}={cluster.tag.value}; "
                    f"give each cluster a tag of its own"
                )
        return self
