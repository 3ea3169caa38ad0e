"""A region over the light plane with everything deployed, and plans that are written in a line."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.faults import Plan
from sandbox.faults.plan_file import plan_of
from sandbox.light import LightPlane
from sandbox.light.launch import LightCluster, LightClusters
from sandbox.region import Pace, Region

CDK_OUT = Path(__file__).resolve().parents[3] / "cdk.out"
NEVER_S = 86_400.0
PACE = Pace(
    snapshot_pending_s=0.1,
    create_snapshots_s=0.0,
    per_volume_rate_s=0,
    wait_scale=0.03,
    status_checks_s=0.05,
    status_impaired_s=0.05,
    alarm_tick_s=NEVER_S,
)
TAG = "cluster"
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
PATIENCE_S = 60.0


def plan(*faults: str) -> Plan:
    """A plan of these faults."""
    return plan_of("\n".join(["title: a test", "faults:", *(f"  - {{{fault}}}" for fault in faults)]))


@dataclass(frozen=True)
class Scene:
    """What tests of faults do in it."""

    region: Region
    plane: LightPlane
    clusters: LightClusters
    outputs: Mapping[str, str]

    @classmethod
    def of(cls, region: Region, plane: LightPlane) -> "Scene":
        """Deploy everything."""
        outputs = {key: value for stack in region.deploy(CDK_OUT).values() for key, value in stack.items()}
        return cls(region, plane, LightClusters(region, plane), outputs)

    def launch(self, name: str, **settings: Any) -> LightCluster:  # noqa: ANN401  # any field of a configuration
        """A cluster of three with a configuration."""
        config = {"name": name, "tag": {"key": TAG, "value": name}, **settings}
        self.region.client("ssm").put_parameter(
            Name=f"/aerokeep/clusters/{name}", Value=json.dumps(config), Type="String", Overwrite=True
        )
        return self.clusters.launch(name, tag=(TAG, name), timeline=f"{name}/first")

    def backup(self, cluster: LightCluster) -> dict[str, Any]:
        """Run a backup of the label ``crash`` to its end → what DescribeExecution says."""
        states = self.region.client("stepfunctions")
        request = json.dumps({"cluster": cluster.name, "consistency": "crash"})
        machine = self.outputs["BackupMachineArn"]
        arn = states.start_execution(stateMachineArn=machine, input=request)["executionArn"]
        give_up = time.monotonic() + PATIENCE_S
        while (told := states.describe_execution(executionArn=arn))["status"] not in FINISHED:
            assert time.monotonic() < give_up, told
            time.sleep(0.05)
        ended: dict[str, Any] = told
        return ended

    def send(self, cluster: LightCluster, verb: str) -> str:
        """Send a verb without parameters to every node → the command's id."""
        ids = [member.instance_id for member in cluster.members]
        sent = self.region.client("ssm").send_command(DocumentName=f"aerokeep-{verb}", InstanceIds=ids)
        return str(sent["Command"]["CommandId"])

    def status(self, command: str, cluster: LightCluster, number: int) -> str:
        """A command's status on a node, by its number from 1."""
        instance_id = cluster.members[number - 1].instance_id
        found = self.region.client("ssm").get_command_invocation(CommandId=command, InstanceId=instance_id)
        return str(found["Status"])

    def lock(self, cluster: LightCluster) -> str:
        """The state of a cluster's lock; empty where there is none."""
        key = {"pk": {"S": f"cluster#{cluster.name}"}, "sk": {"S": "lock"}}
        found = self.region.client("dynamodb").get_item(TableName=self.outputs["CatalogName"], Key=key)
        return str(found.get("Item", {}).get("state", {}).get("S", ""))
