"""``make demo-restore``: lose a cluster's data, then its machines, and bring both back from one point."""

import sys
import time
from dataclasses import dataclass

from aerokeep.model.recovery_point import Manifest

from sandbox.cluster import Build, Cluster
from sandbox.demo_estate import CLUSTER, DemoEstate, DemoFailedError, deployed, live_cluster, options_of, writing
from sandbox.proof import Verdict, judge_live
from sandbox.writer import Writer

KEPT_SET, TRUNCATED_SET, DELETED_SET = "kept", "truncated", "deleted"
RECORDS = 500
AT_ONCE = {"start_deadline_s": 600, "check_deadline_s": 600, "volume_deadline_s": 300, "volume_quota_tib": 50}


@dataclass(frozen=True)
class Act:
    """One restore, and what the witness says of it."""

    name: str
    rto_s: float
    verdict: Verdict
    counts: dict[str, int]
    same_ids: bool

    @property
    def good(self) -> bool:
        """Everything that the point holds is back, nothing from after it, and nothing that nobody wrote."""
        kept = self.verdict.lost == 0 and self.verdict.from_after_cut == 0 and self.verdict.raw["unexplained"] == 0
        return kept and self.verdict.before_cut > 0 and self.same_ids and set(self.counts.values()) == {RECORDS}


def main(argv: list[str] | None = None) -> int:
    """Run both acts → 0 only if both kept the promise."""
    options = options_of("make demo-restore", __doc__, argv)
    began = time.monotonic()
    try:
        with deployed(options.mode) as estate:
            point, acts = _play(estate, rate=options.rate, load_s=options.load_s)
    except DemoFailedError as error:
        print(f"demo-restore: {error}", flush=True)
        return 1
    estate.screen.say(f"everything is put away again; {time.monotonic() - began:.0f} s in all")
    for act in acts:
        print(f"{act.name}:", flush=True)
        print(
            f"restore: point={point.point_id} nodes={len(point.cuts)} lost={act.verdict.lost} "
            f"from_after_cut={act.verdict.from_after_cut} rto_s={act.rto_s:.1f}"
            + (" mode=directory" if estate.plane.mode == "directory" else ""),
            flush=True,
        )
    return 0 if all(act.good for act in acts) else 1


def _play(estate: DemoEstate, *, rate: int, load_s: float) -> tuple[Manifest, list[Act]]:
    build = Build(test_on_device=estate.plane.mode == "directory")
    with live_cluster(estate, build=build, restore=AT_ONCE) as cluster:
        for name in (KEPT_SET, TRUNCATED_SET, DELETED_SET):
            cluster.put("test", name, RECORDS)
        with writing(estate, cluster, rate=rate) as writer:
            writer.wait_for_load(load_s)
            estate.screen.heading("backup under load")
            estate.run("backup", cluster=CLUSTER)
            _ruin(estate, cluster)
            time.sleep(1.5)  # writes from after the cut, which must not come back
        point = estate.vault.newest_manifest(CLUSTER)
        return point, [_in_place(estate, cluster, writer, point), _from_nothing(estate, cluster, writer, point)]


def _ruin(estate: DemoEstate, cluster: Cluster) -> None:
    estate.screen.heading("somebody truncates a set and deletes records, and two servers crash")
    cluster.truncate("test", TRUNCATED_SET)
    cluster.delete("test", DELETED_SET, RECORDS)
    for node_id in ("A2", "A3"):
        cluster.member(node_id).server.crash()


def _in_place(estate: DemoEstate, cluster: Cluster, writer: Writer, point: Manifest) -> Act:
    estate.screen.heading("dry run of a restore: what it would do")
    shown = estate.run("restore", cluster=CLUSTER, point=point.point_id, dry_run=True)
    estate.screen.say(f"plan {shown['plan']}: {shown['nodes']} nodes, {shown['volumes']} volumes, live={shown['live']}")
    for note in shown["notes"]:
        estate.screen.say(f"  {note}")
    estate.screen.heading("restore in place, by that plan")
    ended = estate.run("restore", cluster=CLUSTER, point=point.point_id, plan=shown["plan"])
    return _judge(estate, cluster, writer, point, name="in place", rto_s=float(ended["restore_s"]))


def _from_nothing(estate: DemoEstate, cluster: Cluster, writer: Writer, point: Manifest) -> Act:
    estate.screen.heading("all three instances are terminated, and their volumes deleted")
    ec2 = estate.region.client("ec2")
    volumes = [volume_id for member in cluster.members.values() for volume_id in member.node.volumes.values()]
    ec2.terminate_instances(InstanceIds=list(cluster.members))
    ec2.get_waiter("instance_terminated").wait(
        InstanceIds=list(cluster.members), WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    for volume_id in volumes:
        ec2.delete_volume(VolumeId=volume_id)
    estate.screen.heading("restore from nothing but the vault and the snapshots")
    ended = estate.run("restore", cluster=CLUSTER, point=point.point_id)
    return _judge(estate, cluster, writer, point, name="from nothing", rto_s=float(ended["restore_s"]))


def _judge(estate: DemoEstate, cluster: Cluster, writer: Writer, point: Manifest, *, name: str, rto_s: float) -> Act:
    addresses = {member.node_id: member.node.private_ip for member in cluster.members.values()}
    cluster.find_again()
    cluster.wait_settled()
    same_ids = all(cluster.ask(node_id, "node") == node_id for node_id in addresses)
    estate.screen.heading("proof: the witness reads the restored cluster")
    verdict = judge_live(
        estate.plane,
        cluster.seeds,
        writer.ledger,
        first_request_at=point.first_request.timestamp(),
        last_response_at=point.last_response.timestamp(),
    )
    estate.screen.proof(verdict)
    counts = {name: cluster.count("test", name, RECORDS) for name in (KEPT_SET, TRUNCATED_SET, DELETED_SET)}
    estate.screen.say(f"sets: {', '.join(f'{name} {count} of {RECORDS}' for name, count in counts.items())}")
    return Act(name=name, rto_s=rto_s, verdict=verdict, counts=counts, same_ids=same_ids)


if __name__ == "__main__":
    sys.exit(main())
