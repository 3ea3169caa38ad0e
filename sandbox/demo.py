"""``make demo``: back up a live cluster through the shipped templates, then prove the recovery point."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aerokeep.model.consistency import Consistency
from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.recovery_point import Manifest

from sandbox.cluster import NAMESPACES, Cluster, launch
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane, NodeClock
from sandbox.dataplane.probe import probe
from sandbox.proof import Verdict, prove
from sandbox.region.pace import Pace
from sandbox.region.region import Region
from sandbox.screen import Screen, message_of
from sandbox.writer import Writer

CDK_OUT = Path("cdk.out")
OURS = [{"Name": "tag-key", "Values": ["aerokeep:run"]}]
WRITE_STOP = {"lead_s": 8, "lease_s": 8, "budget_s": 6}
"""The demo's own settings: a minute's lead would only make it longer."""
PACE = Pace(
    snapshot_pending_s=9.0,
    create_snapshots_s=0.4,
    ssm_delivery_s=0.3,
    ssm_jitter_s=0.3,
    ssm_invisible_s=0.3,
    wait_scale=0.2,
)
CLOCKS = (
    NodeClock(offset_s=0.35, error_s=0.004),
    NodeClock(offset_s=-0.2, error_s=0.006),
    NodeClock(offset_s=0.0, error_s=0.003),
)
"""Every node has a clock of its own, and knows by how much it is wrong: the label must hold all the same."""


class BackupFailedError(Exception):
    """The execution did not end well: there is no recovery point to prove."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo → 0 only if the recovery point kept its promise."""
    options = _options(argv)
    screen = Screen()
    began = time.monotonic()
    plane = choose(mode=options.mode)
    _introduce(screen, plane)
    region = Region(plane, pace=PACE)
    try:
        plane.start()
        region.start()
        point, verdict = _back_up_and_prove(screen, plane, region, rate=options.rate, load_s=options.load_s)
    except BackupFailedError as error:
        screen.say(f"demo: {error}")
        return 1
    finally:
        region.stop()
        plane.close()
    screen.say(f"everything is put away again; {time.monotonic() - began:.0f} s in all")
    return _last_line(point, verdict, plane.mode)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--mode", choices=("namespaces", "directory"), help="force a data plane; by default by probing")
    parser.add_argument("--rate", type=int, default=1000, help="writes per second")
    parser.add_argument("--load-s", type=float, default=3.0, help="seconds of writes before the backup starts")
    return parser.parse_args(argv)


def _introduce(screen: Screen, plane: DataPlane) -> None:
    screen.heading(f"sandbox in {plane.mode} mode")
    for missing in probe().missing:
        screen.say(f"  missing here: {missing}")
    for shortcoming in plane.shortcomings:
        screen.say(f"  this mode cannot show: {shortcoming}")


def _back_up_and_prove(
    screen: Screen, plane: DataPlane, region: Region, *, rate: int, load_s: float
) -> tuple[Manifest, Verdict]:
    screen.heading("deploying the synthesized templates")
    outputs = {key: value for stack in region.deploy(CDK_OUT).values() for key, value in stack.items()}
    tag = _use_own_settings(region, "demo")
    screen.say(f"  vault {outputs['VaultName']}, catalog {outputs['CatalogName']}")
    screen.heading("starting a cluster of three nodes, and the witness")
    cluster = launch(region, plane, tag=tag, clocks=_clocks())
    try:
        with _writing(plane, cluster, rate=rate, ledger=plane.workdir / "witness.ledger") as writer:
            writer.wait_for_load(load_s)
            screen.heading("backup")
            _run_backup(screen, region, outputs["BackupMachineArn"])
            time.sleep(1.5)  # writes from after the cut, which the point must not hold
        vault = Vault(region, outputs["VaultName"])
        manifest = vault.newest_manifest("demo")
        screen.heading("what was taken")
        screen.point(manifest, vault.evidence(manifest))
        screen.heading("proof: a cold start on copies of the snapshots, judged by the witness")
        verdict = prove(plane, manifest, smd=vault.smd(manifest), ledger=writer.ledger, size_of=PACE.gib_bytes)
        screen.proof(verdict)
        return manifest, verdict
    finally:
        cluster.stop()


def _clocks() -> tuple[NodeClock, ...]:
    """Offsets need something to make them; without it every node has the machine's clock, and says so."""
    return CLOCKS if probe().clocks else tuple(NodeClock(error_s=clock.error_s) for clock in CLOCKS)


def _use_own_settings(region: Region, cluster: str) -> tuple[str, str]:
    """Overwrite the deployed parameter's write stop → the tag that selects the cluster's nodes."""
    ssm, name = region.client("ssm"), f"/aerokeep/clusters/{cluster}"
    config: dict[str, Any] = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    ssm.put_parameter(Name=name, Value=json.dumps({**config, "write_stop": WRITE_STOP}), Type="String", Overwrite=True)
    return config["tag"]["key"], config["tag"]["value"]


@contextmanager
def _writing(plane: DataPlane, cluster: Cluster, *, rate: int, ledger: Path) -> Iterator[Writer]:
    writer = Writer(plane, seeds=cluster.seeds, namespaces=NAMESPACES, rate=rate, ledger=ledger)
    try:
        yield writer
    finally:
        writer.stop()


def _run_backup(screen: Screen, region: Region, machine_arn: str) -> None:
    """Start the execution as an operator would, and follow it to its end.

    Raises:
        BackupFailedError: it did not succeed; with its own error and message.

    """
    states, ec2 = region.client("stepfunctions"), region.client("ec2")
    started = states.start_execution(stateMachineArn=machine_arn, input=json.dumps({"cluster": "demo"}))
    with screen.journey() as bar:
        for event in region.follow(started["executionArn"]):
            match event.kind:
                case "entered":
                    bar.entered(event.state, event.at)
                case "failed":
                    bar.failed(message_of(event.detail), event.at)
                case "exited":
                    pass
            if event.state in {"CheckSnapshots", "WaitForSnapshots"} and event.kind == "entered":
                found = ec2.describe_snapshots(OwnerIds=["self"], Filters=OURS)["Snapshots"]
                bar.snapshots(int(snapshot["Progress"].rstrip("%") or 0) for snapshot in found)
    ended = states.describe_execution(executionArn=started["executionArn"])
    if ended["status"] != "SUCCEEDED":
        raise BackupFailedError(
            f"the backup {ended['status']}: {ended.get('error')}: {message_of(ended.get('cause', ''))}"
        )


class Vault:
    """The vault as an operator without the catalog reads it."""

    def __init__(self, region: Region, bucket: str) -> None:
        self._s3, self._bucket = region.client("s3"), bucket

    def newest_manifest(self, cluster: str) -> Manifest:
        """The newest committed point."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"clusters/{cluster}/points/")
        keys = [entry["Key"] for entry in listed.get("Contents", []) if entry["Key"].endswith("/manifest.json")]
        return Manifest.model_validate_json(self._read(max(keys)))

    def evidence(self, manifest: Manifest) -> dict[str, NodeEvidence]:
        """What the hosts recorded, by instance id."""
        told = json.loads(self._read(manifest.evidence_key))["evidence"]
        return {instance_id: NodeEvidence.model_validate(seen) for instance_id, seen in told.items()}

    def smd(self, manifest: Manifest) -> dict[str, dict[str, bytes]]:
        """SMD files by node id and name."""
        return {
            node.node_id: {
                file.key.rpartition("/")[2]: self._read(file.key) for file in node.files if "/smd/" in file.key
            }
            for node in manifest.files
        }

    def _read(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body


def _last_line(manifest: Manifest, verdict: Verdict, mode: str) -> int:
    """Say what is true, and end 0 only if it is what was promised."""
    volumes = sum(len(cut.snapshots) for cut in manifest.cuts)
    stopped = 0.0 if manifest.label.write_stop_s is None else manifest.label.write_stop_s
    line = (
        f"demo: point={manifest.point_id} consistency={manifest.label.consistency} nodes={len(manifest.cuts)} "
        f"volumes={volumes} write_stop_s={stopped:.2f} lost={verdict.lost} from_after_cut={verdict.from_after_cut}"
    )
    print(line + (" mode=directory" if mode == "directory" else ""), flush=True)
    kept = manifest.label.consistency is Consistency.CLUSTER and verdict.lost == 0 and verdict.from_after_cut == 0
    # A value that nobody wrote would be as bad as one that is missing; and a ledger without writes proves nothing.
    return 0 if kept and verdict.raw["unexplained"] == 0 and verdict.before_cut > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
