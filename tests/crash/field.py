"""The field of the crash matrix: one region with everything deployed, and light clusters to be launched on it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from moto.stepfunctions.responses import get_backend

from sandbox.light import LightPlane
from sandbox.light.launch import Hardware, LightCluster, LightClusters
from sandbox.region import Pace, Region
from tests.crash.strikes import Strikes

CDK_OUT = Path(__file__).resolve().parents[2] / "cdk.out"
NEVER_S = 86_400.0
PACE = Pace(
    snapshot_pending_s=0.1,
    create_snapshots_s=0.0,
    ssm_delivery_s=0.2,
    per_volume_rate_s=0,
    wait_scale=0.03,
    terminated_visible_s=5.0,
    status_checks_s=0.05,
    status_impaired_s=0.05,
    alarm_tick_s=NEVER_S,
)
"""Alarms are left out: each row starts its journeys itself. A command takes longer than clocks may be wrong, as in AWS:
if hosts let go sooner after the last cut, no evidence could show that they held on until then.
"""
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
LONGEST_S = 240.0
POLL_S = 0.05
GUARDIAN = "guardian"
LANES = ("lock", "export-lock")
TAG = "cluster"


@dataclass(frozen=True)
class Execution:
    """An execution that has finished."""

    arn: str
    status: str
    error: str
    cause: str
    output: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]

    @property
    def words(self) -> str:
        """How it ended, in a line."""
        return f"{self.arn.rpartition(':')[2]} {self.status} {self.error} {self.cause}".strip()


class Field:
    """Starts executions and tells what they left."""

    def __init__(
        self, region: Region, plane: LightPlane, *, cdk_out: Path = CDK_OUT, hardware: Hardware | None = None
    ) -> None:
        self.region, self.plane = region, plane
        stacks = region.deploy(cdk_out)
        self.outputs = {key: value for stack in stacks.values() for key, value in stack.items()}
        self.clusters = LightClusters(region, plane, hardware)
        backend = region.ec2.backend
        self.found = frozenset({*backend.volumes, *backend.snapshots})
        """What there was before any row: an image's, and nobody's."""
        functions = region.client("lambda").get_paginator("list_functions").paginate()
        made = [function for page in functions for function in page["Functions"]]
        self.limits_s = {str(f["Handler"]): float(f["Timeout"]) for f in made}
        """How long each Lambda may take, by its handler."""
        self.strikes = Strikes(region, {str(f["Role"]).rpartition("/")[2]: str(f["Handler"]) for f in made})
        machines = region.client("stepfunctions").list_state_machines()["stateMachines"]
        self._machines = {str(m["name"]).removeprefix("aerokeep-"): str(m["stateMachineArn"]) for m in machines}
        self._silence()

    @classmethod
    def open(cls, *, pace: Pace = PACE, cdk_out: Path = CDK_OUT, hardware: Hardware | None = None) -> Self:
        """A field of its own region; `close` it."""
        plane = LightPlane()
        region = Region(plane, pace=pace)
        try:
            region.start()
            return cls(region, plane, cdk_out=cdk_out, hardware=hardware)
        except BaseException:
            region.stop()
            plane.close()
            raise

    def _silence(self) -> None:
        """Let no event call the guardian: each row has its round, and one that comes by itself may get there first."""
        events, guardian = self.region.client("events"), self._machines[GUARDIAN]
        for rule in events.list_rule_names_by_target(TargetArn=guardian)["RuleNames"]:
            targets = events.list_targets_by_rule(Rule=rule)["Targets"]
            events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets if target["Arn"] == guardian])

    def close(self) -> None:
        """End everything."""
        self.region.stop()
        self.plane.close()

    # -- clusters

    def launch(self, name: str, *, known_build: bool = True, **settings: Any) -> LightCluster:  # noqa: ANN401  # see below
        """A cluster of three with a configuration.

        Args:
            name: its name, and the value of its tag.
            known_build: its image says which build it holds.
            settings: fields of its configuration.

        """
        self.configure(name, **settings)
        return self.clusters.launch(name, tag=(TAG, name), timeline=f"{name}/first", known_build=known_build)

    def configure(self, name: str, **settings: Any) -> None:  # noqa: ANN401  # any field of a configuration
        """Write a cluster's configuration as the synth would have."""
        config = {"name": name, "tag": {"key": TAG, "value": name}, **settings}
        self.region.client("ssm").put_parameter(
            Name=f"/aerokeep/clusters/{name}", Value=json.dumps(config), Type="String", Overwrite=True
        )

    def clear(self, cluster: LightCluster) -> None:
        """Take a cluster's instances and volumes away, so that the region stays small and quick."""
        ec2, wanted = self.region.client("ec2"), [{"Name": f"tag:{TAG}", "Values": [cluster.name]}]
        # One that was terminated before is soon forgotten, and can't be terminated again then.
        wanted.append({"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]})
        found = [i for r in ec2.describe_instances(Filters=wanted)["Reservations"] for i in r["Instances"]]
        self.region.client("ssm").delete_parameter(Name=f"/aerokeep/clusters/{cluster.name}")
        if found:
            ec2.terminate_instances(InstanceIds=[instance["InstanceId"] for instance in found])

    def clear_member(self, cluster: LightCluster, number: int) -> None:
        """Terminate one instance of a cluster and wait for its end; its volumes go as they would."""
        ec2, instance_id = self.region.client("ec2"), cluster.members[number].instance_id
        ec2.terminate_instances(InstanceIds=[instance_id])
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance_id], WaiterConfig={"Delay": 1})

    # -- executions

    def deployed(self, journey: str) -> bool:
        """There is such a machine."""
        return journey in self._machines

    def journey_of(self, arn: str) -> str:
        """The journey of an execution."""
        return arn.split(":")[6].removeprefix("aerokeep-")

    def arn_of(self, journey: str, name: str) -> str:
        """The ARN that an execution will have."""
        return f"{self._machines[journey].replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, journey: str, name: str, request: Mapping[str, Any]) -> str:
        """Start an execution → its ARN."""
        states = self.region.client("stepfunctions")
        machine = self._machines[journey]
        started = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(request))
        return str(started["executionArn"])

    def ended(self, arn: str) -> Execution:
        """Wait for an execution's end, and for that of every Lambda that still works for it.

        Raises:
            TimeoutError: it goes on and on.

        """
        states, give_up = self.region.client("stepfunctions"), time.monotonic() + LONGEST_S
        machines = get_backend(self.region.account, self.region.region)
        execution = machines.describe_execution(arn)
        cluster = json.loads(execution.execution_input).get("cluster", "")
        while execution.status not in FINISHED or self._works_for(cluster):
            if time.monotonic() > give_up:
                states.stop_execution(executionArn=arn, error="TooLong", cause="the crash matrix lost its patience")
                raise TimeoutError(f"{arn} was still running after {LONGEST_S:g} s")
            time.sleep(POLL_S)
        told = states.describe_execution(executionArn=arn)
        pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return Execution(
            arn=arn,
            status=told["status"],
            error=told.get("error", ""),
            cause=_message(told.get("cause", "")),
            output=json.loads(told.get("output") or "{}"),
            events=tuple(event for page in pages for event in page["events"]),
        )

    def run(self, journey: str, name: str, request: Mapping[str, Any]) -> Execution:
        """Start one and wait for its end."""
        return self.ended(self.start(journey, name, request))

    def _works_for(self, cluster: str) -> bool:
        told = (json.dumps(work.event, default=str) for work in self.region.fleet.at_work())
        return any(f'"{cluster}"' in event for event in told)

    # -- the catalog

    def lock(self, cluster: str, *, lane: str = "lock") -> dict[str, str]:
        """The item of one of a cluster's locks; empty where there is none."""
        found = self.region.client("dynamodb").get_item(TableName=self.outputs["CatalogName"], Key=_key(cluster, lane))
        return {name: str(next(iter(value.values()))) for name, value in found.get("Item", {}).items()}

    def let_busy_time_pass(self, cluster: str) -> None:
        """``busy_until`` is there for Lambdas that may still act; none does any more, so nobody need wait for it."""
        for lane in LANES:
            if "busy_until" in self.lock(cluster, lane=lane):
                self.region.client("dynamodb").update_item(
                    TableName=self.outputs["CatalogName"],
                    Key=_key(cluster, lane),
                    UpdateExpression="SET busy_until = :past",
                    ExpressionAttributeValues={":past": {"S": "2001-01-01T00:00:00+00:00"}},
                )

    def forget_lock(self, cluster: str) -> None:
        """Release a lock as an operator does by hand: nobody settles its run any more."""
        self.region.client("dynamodb").update_item(
            TableName=self.outputs["CatalogName"],
            Key=_key(cluster, LANES[0]),
            UpdateExpression="REMOVE #owner",
            ExpressionAttributeNames={"#owner": "owner"},
        )

    # -- the vault

    def manifest(self, cluster: str, point: str) -> dict[str, Any]:
        """What stands under a point's manifest key; empty where there is nothing."""
        found: dict[str, Any] = self.json(f"clusters/{cluster}/points/{point}/manifest.json")
        return found

    def sizes(self, prefix: str) -> dict[str, int]:
        """The size in bytes of each object below a prefix."""
        pages = self.region.client("s3").get_paginator("list_objects_v2")
        listed = pages.paginate(Bucket=self.outputs["VaultName"], Prefix=prefix)
        return {entry["Key"]: entry["Size"] for page in listed for entry in page.get("Contents", [])}

    def json(self, key: str) -> Any:  # noqa: ANN401  # anything can stand in JSON
        """An object's content; empty where there is none."""
        if key not in self.sizes(key):
            return {}
        s3 = self.region.client("s3")
        return json.loads(s3.get_object(Bucket=self.outputs["VaultName"], Key=key)["Body"].read())


def _key(cluster: str, lane: str) -> dict[str, Any]:
    return {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": lane}}


def _message(cause: str) -> str:
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
