"""``make demo-replace``: a node loses its power under load, and is replaced on its address without a hand."""

import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from sandbox.cluster import Build
from sandbox.demo_estate import CLUSTER, PACE, DemoEstate, DemoFailedError, deployed, live_cluster, options_of, writing
from sandbox.proof import Verdict, judge_live

VICTIM = "A2"
PACE_OF_MINUTES = 0.15
"""The minutes of alarms and schedules last 9 s here: long enough for `health` to be asked in each."""


@dataclass(frozen=True)
class Replacement:
    """What was there before and after."""

    ip: str
    same_ip: bool
    same_mac: bool
    same_node_id: bool
    own_volumes: bool
    recovery_s: float
    verdict: Verdict

    @property
    def good(self) -> bool:
        """The node is itself again, and nothing that was acknowledged is missing."""
        same = self.same_ip and self.same_mac and self.same_node_id and self.own_volumes
        return same and self.verdict.lost == 0 and self.verdict.raw["unexplained"] == 0 and self.verdict.before_cut > 0


def main(argv: list[str] | None = None) -> int:
    """Run the demo → 0 only if the node came back as itself."""
    options = options_of("make demo-replace", __doc__, argv)
    began = time.monotonic()
    try:
        pace = replace(PACE, alarm_scale=PACE_OF_MINUTES, schedule_scale=PACE_OF_MINUTES)
        with deployed(options.mode, pace=pace) as estate:
            done = _play(estate, rate=options.rate, load_s=options.load_s)
    except DemoFailedError as error:
        print(f"demo-replace: {error}", flush=True)
        return 1
    estate.screen.say(f"everything is put away again; {time.monotonic() - began:.0f} s in all")
    print(
        f"replace: node={VICTIM} ip={done.ip} same_ip={_said(done.same_ip)} same_mac={_said(done.same_mac)} "
        f"same_node_id={_said(done.same_node_id)} lost={done.verdict.lost} recovery_s={done.recovery_s:.1f}"
        + (" mode=directory" if estate.plane.mode == "directory" else ""),
        flush=True,
    )
    return 0 if done.good else 1


def _said(value: bool) -> str:  # noqa: FBT001  # it is the value that is said
    return str(value).lower()


def _play(estate: DemoEstate, *, rate: int, load_s: float) -> Replacement:
    build = Build(test_on_device=estate.plane.mode == "directory")
    with live_cluster(estate, build=build, replace={"automatic": True}) as cluster:
        victim = cluster.member(VICTIM)
        before = _interface(estate, victim.node.instance_id)
        with writing(estate, cluster, rate=rate) as writer:
            writer.wait_for_load(load_s)
            estate.screen.heading("a backup, as there is one every night")
            estate.run("backup", cluster=CLUSTER)
            estate.screen.heading("protect, as every hour: inventory, DeleteOnTermination, alarms")
            estate.run("protect", cluster=CLUSTER)
            estate.screen.heading(f"power loss of {VICTIM} ({victim.node.private_ip}) under load")
            lost_at = time.monotonic()
            estate.region.power_loss(victim.node.instance_id)
            execution = estate.wait_for_execution("replace-node")
            estate.screen.say(
                f"  its alarm started {execution.rpartition(':')[2]} after {time.monotonic() - lost_at:.1f} s"
            )
            estate.follow("replace-node", execution)
            recovery_s = time.monotonic() - lost_at
            time.sleep(1.5)  # writes to the cluster that is whole again
        stopped_at = time.time()
        cluster.find_again()
        cluster.wait_settled()
        now = cluster.member(VICTIM)
        after = _interface(estate, now.node.instance_id)
        estate.screen.heading("proof: the witness reads the cluster; every acknowledged write must be there")
        verdict = judge_live(
            estate.plane, cluster.seeds, writer.ledger, first_request_at=stopped_at, last_response_at=stopped_at
        )
        estate.screen.proof(verdict)
        return Replacement(
            ip=now.node.private_ip,
            same_ip=after["PrivateIpAddress"] == before["PrivateIpAddress"],
            same_mac=after["MacAddress"] == before["MacAddress"],
            same_node_id=cluster.ask(VICTIM, "node") == VICTIM,
            own_volumes=now.node.volumes == victim.node.volumes,
            recovery_s=recovery_s,
            verdict=verdict,
        )


def _interface(estate: DemoEstate, instance_id: str) -> dict[str, Any]:
    found = estate.region.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    interface: dict[str, Any] = found[0]["Instances"][0]["NetworkInterfaces"][0]
    return interface


if __name__ == "__main__":
    sys.exit(main())
