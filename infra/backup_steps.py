"""The steps of the backup journey: what each may do and why, how long it may take, how much memory it has."""

from infra.compute_grants import ComputeGrants
from infra.grants import INVENTORY, POINTS, RUNS, StepGrants
from infra.step import Step

# 1,769 MB is one whole vCPU: inside the write stop no thread may wait for a share of one.
WHOLE_CPU_MB = 1769


def _acquire_lock(may: StepGrants) -> None:
    may.read_cluster_parameters()  # the run keeps the configuration that it starts with
    may.use_catalog("GetItem", "PutItem", "UpdateItem")  # recognise a duplicate, reserve the point, take the lock
    may.write_vault(RUNS)


def _discover_cluster(may: StepGrants) -> None:
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.send("survey")
    may.use_catalog("GetItem")  # is the lock still this run's?
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _plan_backup(may: StepGrants) -> None:
    may.read_vault(RUNS)  # it decides on what earlier steps wrote down, and asks nobody
    may.write_vault(RUNS)


def _protect_nodes(may: ComputeGrants) -> None:
    may.protect_nodes()
    may.use_catalog("GetItem")
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _stop_writes(may: StepGrants) -> None:
    may.send("stop-writes", "resume-writes")  # no-go: tombstones for hosts that were armed
    # How long earlier cuts took; other clusters' cuts, and its own made known; busy_until, if the lock is still its own
    may.use_catalog("GetItem", "Query", "UpdateItem")
    may.describe("ec2:DescribeSnapshots")  # what others in the account take of the same bucket
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _cut_snapshots(may: StepGrants) -> None:
    may.cut_snapshots()
    may.describe("ec2:DescribeInstances", "ec2:DescribeSnapshots")  # warm the connections; look up a doubtful answer
    may.use_catalog("GetItem", "UpdateItem")  # busy_until; is the lock still this run's at T0? How long the cut took
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _end_try(may: StepGrants) -> None:
    may.send("resume-writes")  # before anything else: no host may hold a stop that another try follows
    may.describe("ec2:DescribeSnapshots")  # the sets of this try are found by their tags
    may.delete_our_snapshots()
    may.use_catalog("GetItem", "UpdateItem")  # is the lock still this run's? How long it took until all was flushed
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _resume_writes(may: StepGrants) -> None:
    may.send("resume-writes")  # whoever holds the lock: no host stays stopped because a lock was lost
    may.use_catalog("UpdateItem")  # how long it took until all was flushed: later runs are planned from that
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _tag_snapshots(may: StepGrants) -> None:
    may.tag_our_snapshots()
    may.use_catalog("GetItem")
    may.read_vault(RUNS)


def _capture_metadata(may: StepGrants) -> None:
    may.send("capture")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)  # hosts read their list of uploads with a URL that carries the rights of this role
    may.write_vault(RUNS, POINTS)  # POINTS: so do the presigned PUTs of the hosts


def _check_snapshots(may: StepGrants) -> None:
    may.describe("ec2:DescribeSnapshots")
    may.read_vault(RUNS)


def _verify_point(may: StepGrants) -> None:
    may.describe("ec2:DescribeSnapshots")
    may.read_vault(RUNS, POINTS)
    may.write_vault(RUNS)


def _commit_point(may: StepGrants) -> None:
    may.use_catalog("GetItem", "PutItem")  # the lock; the index of points
    may.read_vault(RUNS, POINTS, INVENTORY)  # POINTS: who took the manifest's key?
    may.write_vault(POINTS, INVENTORY)  # evidence, then the manifest, written last and once; then the newest inventory


def _release_lock(may: StepGrants) -> None:
    may.use_catalog("UpdateItem")


def _abandon_point(may: StepGrants) -> None:
    may.send("resume-writes")  # before anything else: no write stop outlives its run
    may.describe("ec2:DescribeSnapshots")  # snapshots are found by their tag, not by what the run remembers
    may.delete_our_snapshots()
    may.use_catalog("GetItem", "PutItem", "UpdateItem")
    may.read_vault(RUNS, POINTS)
    may.write_vault(POINTS)  # it competes with CommitPoint for the manifest's key


BACKUP = (
    Step("AcquireLock", _acquire_lock),
    Step("DiscoverCluster", _discover_cluster),
    Step("PlanBackup", _plan_backup),
    Step("ProtectNodes", _protect_nodes),
    Step("StopWrites", _stop_writes, timeout_s=180, memory_mb=WHOLE_CPU_MB),
    Step("CutSnapshots", _cut_snapshots, timeout_s=210, memory_mb=WHOLE_CPU_MB),
    Step("EndTry", _end_try, timeout_s=180),
    Step("ResumeWrites", _resume_writes, timeout_s=120, memory_mb=WHOLE_CPU_MB),
    Step("TagSnapshots", _tag_snapshots),
    Step("CaptureMetadata", _capture_metadata),
    Step("CheckSnapshots", _check_snapshots),
    Step("VerifyPoint", _verify_point),
    Step("CommitPoint", _commit_point),
    Step("ReleaseLock", _release_lock),
    Step("AbandonPoint", _abandon_point, timeout_s=240),
)
