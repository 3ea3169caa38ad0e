"""The field of the crash matrix: one region with everything deployed, and light clusters to be launched on it."""

from pathlib import Path
from typing import Any, Self

from sandbox.light import LightPlane
from sandbox.light.launch import Hardware, LightCluster, LightClusters
from sandbox.region import Pace, Region
from tests.crash.strikes import Strikes
from tests.estate import CDK_OUT, GUARDIAN, TAG, Estate, Execution

__all__ = ["CDK_OUT", "GUARDIAN", "PACE", "TAG", "Estate", "Execution", "Field"]

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


class Field(Estate):
    """Starts executions and tells what they left."""

    def __init__(
        self, region: Region, plane: LightPlane, *, cdk_out: Path = CDK_OUT, hardware: Hardware | None = None
    ) -> None:
        super().__init__(region, cdk_out=cdk_out)
        self.plane = plane
        self.clusters = LightClusters(region, plane, hardware)
        backend = region.ec2.backend
        self.found = frozenset({*backend.volumes, *backend.snapshots})
        """What there was before any row: an image's, and nobody's."""
        functions = region.client("lambda").get_paginator("list_functions").paginate()
        made = [function for page in functions for function in page["Functions"]]
        self.limits_s = {str(f["Handler"]): float(f["Timeout"]) for f in made}
        """How long each Lambda may take, by its handler."""
        self.strikes = Strikes(region, {str(f["Role"]).rpartition("/")[2]: str(f["Handler"]) for f in made})

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
