"""What is played beside rows of the crash matrix: several runs of a cluster, struck where a permission is needed."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime, timedelta
from typing import Any

from aerokeep.rules.alarms import node_prefix

from sandbox.light.content import Data
from sandbox.light.launch import LightCluster
from sandbox.region import ApiCall, ApiError, LostResponseError
from tests.crash.field import GUARDIAN, Execution, Field
from tests.crash.journeys import CRASH, WRITE_STOP, done
from tests.crash.rows import How, handler_of
from tests.crash.strikes import Strike
from tests.permissions.leftovers import leave

FIRST_RUN = timedelta(hours=4)
"""So long ago; each further run is due a minute later."""
IMAGE = "aerokeep-light-node"
INTERRUPTED = "interrupted.asb"


@dataclass
class Runs:
    """The runs of one cluster, one after the other, each with a scheduled time of its own."""

    field: Field
    cluster: str
    began: datetime = dataclass_field(default_factory=lambda: datetime.now(UTC) - FIRST_RUN)
    made: int = 0
    due: str = ""
    """Scheduled time of the last run that the Scheduler started."""

    def instant(self) -> datetime:
        """When the next run is due."""
        return self.began + timedelta(minutes=self.made)

    def scheduled(self, journey: str, *strikes: tuple[str, How], **request: Any) -> Execution:  # noqa: ANN401  # any input
        """A run that the Scheduler starts."""
        self.due = f"{self.instant():%Y-%m-%dT%H:%M:%SZ}"
        return self.run(journey, *strikes, scheduled_time=self.due, **request)

    def run(self, journey: str, *strikes: tuple[str, How], **request: Any) -> Execution:  # noqa: ANN401  # the same
        """A run, struck in these states one after the other."""
        self.made += 1
        name = f"{self.cluster}-{self.made}"
        arn = self.field.arn_of(journey, name)
        armed = [Strike(handler_of(journey, state), how) for state, how in strikes]
        self.field.strikes.arm(self.cluster, arn, armed)
        ended = self.field.run(journey, name, {"cluster": self.cluster, **request})
        self.field.strikes.disarm(self.cluster)
        if not all(strike.struck.is_set() for strike in armed):
            raise RuntimeError(f"never struck: {armed}: {ended.words}")
        return ended

    def guard(self) -> Execution:
        """The guardian sees to what the last run has left."""
        self.field.let_busy_time_pass(self.cluster)
        return done(self.run(GUARDIAN))


@contextmanager
def one_answer_lost(field: Field, *, key_ends: str, cluster: str) -> Iterator[None]:
    """The first object of a cluster whose key ends so is written, and nobody hears of it: the SDK asks again."""
    lost = threading.Event()

    def witness(call: ApiCall) -> None:
        if call.service != "s3" or call.action != "PutObject" or lost.is_set():
            return
        key = str(call.params["Key"])
        if key.startswith(f"clusters/{cluster}/") and key.endswith(key_ends):
            lost.set()
            raise LostResponseError

    with field.region.faults.during(after=witness):
        yield


@contextmanager
def one_cut_put_off(field: Field, *, instance_id: str) -> Iterator[None]:
    """EC2 has no time for the first cut of an instance; the others' sets of that try are made."""
    put_off = threading.Event()

    def witness(call: ApiCall) -> None:
        if call.action == "CreateSnapshots" and instance_id in repr(call.params) and not put_off.is_set():
            put_off.set()
            raise ApiError("RequestLimitExceeded", "Request limit exceeded.", status=503)

    with field.region.faults.during(before=witness):
        yield


def backups(field: Field, name: str) -> None:
    """Under a write stop: given up before and after the commit, left by a dead run, made, made by a second try."""
    cluster = field.launch(name, write_stop=WRITE_STOP, shortfall="degrade")
    runs = Runs(field, name)
    done(runs.run("protect"))
    done(runs.run("health"))
    done(field.run("health", f"{name}-everyone", {}))
    runs.scheduled("backup", ("CommitPoint", How.KILLED), **CRASH)
    runs.scheduled("backup", ("CommitPoint", How.KILLED_LATE), **CRASH)
    runs.scheduled("backup", ("CutSnapshots", How.KILLED))
    runs.scheduled("backup", ("ResumeWrites", How.STOPPED))
    runs.guard()
    runs.scheduled("backup", ("CommitPoint", How.STOPPED), **CRASH)
    runs.guard()
    with one_answer_lost(field, key_ends="/manifest.json", cluster=name):
        done(runs.scheduled("backup"))
    done(runs.run("backup", scheduled_time=runs.due))
    with one_cut_put_off(field, instance_id=cluster.members[1].instance_id):
        done(runs.scheduled("backup"))
    done(runs.run("health"))
    _orphans(runs)
    # Last: for two minutes after this no write stop begins on these hosts.
    runs.scheduled("backup", ("ResumeWrites", How.STOPPED))
    done(runs.run(GUARDIAN, resume="all"))
    runs.guard()


def _orphans(runs: Runs) -> None:
    """Snapshots of a run whose lock was released by hand, and what a restore and a replacement have left."""
    runs.scheduled("backup", ("TagSnapshots", How.GONE), **CRASH)
    runs.field.forget_lock(runs.cluster)
    leave(runs.field, runs.cluster, f"{runs.cluster}-restore-{runs.instant():%Y%m%dT%H%M%SZ}")
    done(runs.field.run(GUARDIAN, f"{runs.cluster}-report", {"orphans": "report"}))
    ended = done(runs.run(GUARDIAN, orphans="delete"))
    kinds = {candidate["kind"] for candidate in ended.output["found"]["doomed"]}
    if kinds != {"snapshot", "volume", "interface"} or ended.output["settled"]["spared"]:
        raise RuntimeError(f"not all orphans were deleted: {ended.output}")


def replacements(field: Field, name: str) -> None:
    """Of a node that would have taken all with it, halted once; then of one whose interface is gone, with no data."""
    cluster = field.launch(name, replace={"cool_down_s": 0})
    runs = Runs(field, name)
    done(runs.run("protect"))
    first, second = cluster.members[1], cluster.members[2]
    _expose(field, first.instance_id)
    _confuse_alarms(field, name)
    field.region.power_loss(first.instance_id)
    runs.run("replace-node", ("RelaunchNode", How.KILLED), node=first.node_id)
    done(runs.run("replace-node", node=first.node_id))
    done(runs.scheduled("backup", **CRASH))
    field.clear_member(cluster, 2)
    _forget_interface(field, second.private_ip)
    done(runs.run("replace-node", node=second.node_id, data="empty"))
    _confuse_alarms(field, name)
    done(runs.run("protect"))


def _expose(field: Field, instance_id: str) -> None:
    """What the operator may set again after `protect` has cleared it, and a protection that keeps from fencing."""
    ec2 = field.region.client("ec2")
    told = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    mappings = [
        {"DeviceName": m["DeviceName"], "Ebs": {"DeleteOnTermination": True}} for m in told["BlockDeviceMappings"]
    ]
    ec2.modify_instance_attribute(InstanceId=instance_id, BlockDeviceMappings=mappings)
    for interface in told["NetworkInterfaces"]:
        attachment = {"AttachmentId": interface["Attachment"]["AttachmentId"], "DeleteOnTermination": True}
        ec2.modify_network_interface_attribute(
            NetworkInterfaceId=interface["NetworkInterfaceId"], Attachment=attachment
        )
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": True})


def _confuse_alarms(field: Field, cluster: str) -> None:
    """The alarms of nodes are gone, and there is one of a node that is no more."""
    cloudwatch = field.region.client("cloudwatch")
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=node_prefix(cluster))["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms])
    taken = ("Namespace", "MetricName", "Statistic", "ComparisonOperator", "Threshold", "Period", "EvaluationPeriods")
    stray = alarms[0]["AlarmName"].replace(node_prefix(cluster), f"{node_prefix(cluster)}F")
    cloudwatch.put_metric_alarm(AlarmName=stray, **{name: alarms[0][name] for name in taken})


def _forget_interface(field: Field, private_ip: str) -> None:
    """Delete the interface that a terminated instance has left, as soon as AWS has released it."""
    ec2, wanted = field.region.client("ec2"), [{"Name": "addresses.private-ip-address", "Values": [private_ip]}]
    for interface in ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]:
        interface_id = interface["NetworkInterfaceId"]
        ec2.get_waiter("network_interface_available").wait(
            NetworkInterfaceIds=[interface_id], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        ec2.delete_network_interface(NetworkInterfaceId=interface_id)


def restores(field: Field, name: str) -> None:
    """Of a node that has neither instance nor interface any more: rolled back once, then done."""
    cluster = field.launch(name)
    runs = Runs(field, name)
    point = done(runs.scheduled("backup", **CRASH)).output["point"]
    field.clear_member(cluster, 2)
    _forget_interface(field, cluster.members[2].private_ip)
    request = {"point": point, "accept_label": "crash"}
    plan = done(runs.run("restore", **request, dry_run=True)).output["plan"]
    runs.run("restore", ("StartCluster", How.KILLED), **request, plan=plan)
    plan = done(runs.run("restore", **request, dry_run=True)).output["plan"]
    done(runs.run("restore", **request, plan=plan))


def transfers(field: Field, name: str) -> None:
    """Exports given up with uploads under way, by themselves and by the guardian; then one that is imported again."""
    cluster = field.launch(name, write_stop=WRITE_STOP, export={"runner": "each_rack"})
    runs = Runs(field, name)
    given_up = _interrupt(runs)
    runs.scheduled("export", ("RunExport", How.KILLED_LATE), exact=True)
    _interrupt(runs)
    runs.scheduled("export", ("RunExport", How.STOPPED))
    runs.guard()
    _interrupt(runs, export=given_up)
    with one_answer_lost(field, key_ends="/manifest.json", cluster=name):
        export = done(runs.scheduled("export", exact=True)).output["export"]
    _wipe(cluster)
    done(runs.run("import", export=export, dry_run=True))
    runs.run("import", ("CheckImport", How.KILLED), export=export)
    runs.run("import", export=export)


def _interrupt(runs: Runs, *, export: str = "") -> str:
    """An object and an unfinished upload of a host that died, in the next export or a former one → its id."""
    s3, bucket = runs.field.region.client("s3"), runs.field.outputs["VaultName"]
    export_id = export or f"{runs.cluster}-export-{runs.instant():%Y%m%dT%H%M%SZ}"
    prefix = f"clusters/{runs.cluster}/exports/{export_id}"
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{INTERRUPTED}", Body=b"half")
    s3.create_multipart_upload(Bucket=bucket, Key=f"{prefix}/{INTERRUPTED}")
    return export_id


def _wipe(cluster: LightCluster) -> None:
    with cluster.plane.lock:
        for server in cluster.servers():
            for namespace in server.namespaces:
                server.put(namespace, Data())


def afterwards(field: Field) -> None:
    """When all else has been played: the guardian looks at every cluster, and nodes get images of their own.

    The one that they were launched from is gone.
    """
    done(field.run(GUARDIAN, "everywhere", {}))
    ec2 = field.region.client("ec2")
    images = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [IMAGE]}])["Images"]
    for image in images:
        ec2.deregister_image(ImageId=image["ImageId"])
    done(field.run("backup", "saved-imaged", {"cluster": "saved", **CRASH}))
    done(field.run("protect", "moved-imaged", {"cluster": "moved"}))


PLAYS: Mapping[str, Any] = {
    "saved": backups,
    "replaced": replacements,
    "restored": restores,
    "moved": transfers,
}
"""Cluster → what is played on it."""
