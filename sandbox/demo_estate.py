"""What every demo stands on: a region with the synthesized templates, a live cluster in it, and a witness at work."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aerokeep.model.evidence import NodeEvidence
from aerokeep.model.recovery_point import Manifest

from sandbox.cluster import NAMESPACES, Build, Cluster, launch
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane, NodeClock
from sandbox.dataplane.probe import probe
from sandbox.region.latency import PROFILES, pace_of
from sandbox.region.pace import Pace
from sandbox.region.region import Region
from sandbox.screen import JourneyBar, Screen, message_of
from sandbox.writer import Writer

CDK_OUT = Path("cdk.out")
MACHINES = Path("statemachines")
OURS = [{"Name": "tag-key", "Values": ["aerokeep:run"]}]
CLUSTER = "demo"
WRITE_STOP = {"lead_s": 12, "lease_s": 8, "budget_s": 6}
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
SOON_S = 60.0


class DemoFailedError(Exception):
    """The execution did not end as it should: there is nothing to prove."""


@dataclass(frozen=True)
class DemoEstate:
    """A deployed region, and what may be done in it as an operator does."""

    screen: Screen
    plane: DataPlane
    region: Region
    outputs: Mapping[str, str]

    def start(self, journey: str, **request: Any) -> str:  # noqa: ANN401  # any execution input
        """Start a journey's machine → the execution's ARN."""
        states = self.region.client("stepfunctions")
        started = states.start_execution(stateMachineArn=self.machine(journey), input=json.dumps(request))
        return str(started["executionArn"])

    def machine(self, journey: str) -> str:
        """The ARN of a journey's machine, as the stack puts it out."""
        return self.outputs["".join(word.capitalize() for word in journey.split("-")) + "MachineArn"]

    def run(self, journey: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401  # any execution input
        """Start an execution as an operator would, and follow it to its end → its output.

        Raises:
            DemoFailedError: it did not succeed; with its own error and message.

        """
        return self.follow(journey, self.start(journey, **request))

    def follow(self, journey: str, execution_arn: str) -> dict[str, Any]:
        """Follow an execution to its end → its output.

        Raises:
            DemoFailedError: it did not succeed; with its own error and message.

        """
        states, ec2 = self.region.client("stepfunctions"), self.region.client("ec2")
        with self.screen.journey(states_of(journey)) as bar:
            for event in self.region.follow(execution_arn):
                match event.kind:
                    case "entered":
                        bar.entered(event.state, event.at)
                    case "failed":
                        bar.failed(message_of(event.detail), event.at)
                    case "exited":
                        _show_transfer(bar, event.state, event.detail)
                if event.state in {"CheckSnapshots", "WaitForSnapshots"} and event.kind == "entered":
                    found = ec2.describe_snapshots(OwnerIds=["self"], Filters=OURS)["Snapshots"]
                    bar.snapshots(int(snapshot["Progress"].rstrip("%") or 0) for snapshot in found)
        ended = states.describe_execution(executionArn=execution_arn)
        if ended["status"] != "SUCCEEDED":
            raise DemoFailedError(
                f"{journey} {ended['status']}: {ended.get('error')}: {message_of(ended.get('cause', ''))}"
            )
        output: dict[str, Any] = json.loads(ended.get("output") or "{}")
        return output

    def wait_for_execution(self, journey: str) -> str:
        """Wait until somebody else has started a journey → the execution's ARN.

        Raises:
            DemoFailedError: nobody did.

        """
        states, until = self.region.client("stepfunctions"), time.monotonic() + SOON_S
        while time.monotonic() < until:
            found = states.list_executions(stateMachineArn=self.machine(journey))["executions"]
            if found:
                return str(found[0]["executionArn"])
            time.sleep(0.1)
        raise DemoFailedError(f"nobody started {journey} within {SOON_S:g} s")

    @property
    def vault(self) -> "Vault":
        """The vault as an operator reads it."""
        return Vault(self.region, self.outputs["VaultName"])

    def use_own_settings(self, **changes: Any) -> tuple[str, str]:  # noqa: ANN401  # any part of the configuration
        """Overwrite parts of the deployed parameter → the tag that selects the cluster's nodes."""
        ssm, name = self.region.client("ssm"), f"/aerokeep/clusters/{CLUSTER}"
        config: dict[str, Any] = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        told = json.dumps({**config, "write_stop": WRITE_STOP, **changes})
        ssm.put_parameter(Name=name, Value=told, Type="String", Overwrite=True)
        return config["tag"]["key"], config["tag"]["value"]


class Vault:
    """The vault as an operator without the catalog reads it."""

    def __init__(self, region: Region, bucket: str) -> None:
        self._s3, self._bucket = region.client("s3"), bucket

    def newest_manifest(self, cluster: str) -> Manifest:
        """The newest committed point."""
        return Manifest.model_validate(self.newest_commit(cluster))

    def newest_commit(self, cluster: str) -> dict[str, Any]:
        """What stands under the newest commit mark: a manifest, or that the point was abandoned; empty without any."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"clusters/{cluster}/points/")
        keys = [entry["Key"] for entry in listed.get("Contents", []) if entry["Key"].endswith("/manifest.json")]
        found: dict[str, Any] = json.loads(self._read(max(keys))) if keys else {}
        return found

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


def _show_transfer(bar: JourneyBar, state: str, output: str) -> None:
    told = json.loads(output or "{}")
    if state in {"RunExport", "RunImport"} and "records_per_second" in told:
        bar.transfer(state, told)


def states_of(journey: str) -> Sequence[str]:
    """The states of a journey that do something, in their order."""
    definition = json.loads((MACHINES / f"{journey}.asl.json").read_text(encoding="utf-8"))
    return [name for name, state in definition["States"].items() if state["Type"] in {"Task", "Map"}]


def options_of(prog: str, description: str | None, argv: list[str] | None) -> argparse.Namespace:
    """What may be said on a demo's command line."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--mode", choices=("namespaces", "directory"), help="force a data plane; by default by probing")
    parser.add_argument("--rate", type=int, default=1000, help="writes per second")
    parser.add_argument("--load-s", type=float, default=3.0, help="seconds of writes before the backup starts")
    parser.add_argument("--faults", type=Path, help="a fault plan (docs/faults.md); `make demo` only")
    parser.add_argument("--record", type=Path, help="where to write every AWS call and every act on a host, as JSON")
    parser.add_argument("--latency", choices=sorted(PROFILES), help="a latency profile (docs/sandbox.md)")
    parser.add_argument("--scale", type=float, default=0.1, help="of a latency profile, but for the write stop")
    parser.add_argument("--seed", type=int, default=1, help="of a latency profile's draws")
    return parser.parse_args(argv)


def pace_wanted(options: argparse.Namespace) -> Pace:
    """The demo's own pace, or that of the profile which was asked for."""
    if options.latency is None:
        return PACE
    return pace_of(options.latency, seed=options.seed, scale=options.scale)


@contextmanager
def deployed(
    mode: str | None, *, pace: Pace = PACE, check: Callable[[DataPlane], None] | None = None
) -> Iterator[DemoEstate]:
    """A region with our stacks in it; put away at the end. `check` may refuse the data plane before anything starts."""
    screen, plane = Screen(), choose(mode=mode)
    if check is not None:
        _checked(plane, check)
    screen.heading(f"sandbox in {plane.mode} mode")
    for missing in probe().missing:
        screen.say(f"  missing here: {missing}")
    for shortcoming in plane.shortcomings:
        screen.say(f"  this mode cannot show: {shortcoming}")
    region = Region(plane, pace=pace)
    try:
        plane.start()
        region.start()
        screen.heading("deploying the synthesized templates")
        outputs = {key: value for stack in region.deploy(CDK_OUT).values() for key, value in stack.items()}
        screen.say(f"  vault {outputs['VaultName']}, catalog {outputs['CatalogName']}")
        yield DemoEstate(screen, plane, region, outputs)
    finally:
        region.stop()
        plane.close()


def _checked(plane: DataPlane, check: Callable[[DataPlane], None]) -> None:
    try:
        check(plane)
    except BaseException:
        plane.close()
        raise


@contextmanager
def live_cluster(estate: DemoEstate, *, build: Build | None = None, **settings: Any) -> Iterator[Cluster]:  # noqa: ANN401  # any part of the configuration
    """Three nodes with a clock each; their servers are stopped at the end."""
    tag = estate.use_own_settings(**settings)
    estate.screen.heading("starting a cluster of three nodes, and the witness")
    cluster = launch(estate.region, estate.plane, tag=tag, clocks=_clocks(), build=build)
    try:
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def recorded(region: Region, path: Path | None) -> Iterator[None]:
    """Write what happens in the block to a file, also if it ends badly; nothing without a path."""
    if path is None:
        yield
        return
    with region.recorder.recording() as record:
        try:
            yield
        finally:
            record.write(path)


@contextmanager
def writing(estate: DemoEstate, cluster: Cluster, *, rate: int) -> Iterator[Writer]:
    """A witness that writes until the end of the block, or until it is stopped before."""
    ledger = estate.plane.workdir / "witness.ledger"
    writer = Writer(estate.plane, seeds=cluster.seeds, namespaces=NAMESPACES, rate=rate, ledger=ledger)
    try:
        yield writer
    finally:
        writer.stop()


def _clocks() -> tuple[NodeClock, ...]:
    """Offsets need something to make them; without it every node has the machine's clock, and says so."""
    return CLOCKS if probe().clocks else tuple(NodeClock(error_s=clock.error_s) for clock in CLOCKS)
