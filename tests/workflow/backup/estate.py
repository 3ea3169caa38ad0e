"""The deployed estate as an operator has it: start executions, read what they left, see what was called."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerokeep.model.recovery_point import Abandonment, Manifest
from pydantic import TypeAdapter

from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.region import ApiCall, Pace, Region

REPOSITORY = Path(__file__).resolve().parents[3]
CDK_OUT = REPOSITORY / "cdk.out"
WRITE_STOP = {"lead_s": 4, "lease_s": 6, "budget_s": 5}
PATIENT = {**WRITE_STOP, "lead_s": 12}
"""Several runs share two cores: hosts get longer to be armed, so that a no-go is never the machine's."""
PACE = Pace(snapshot_pending_s=0.5, per_volume_rate_s=0, wait_scale=0.05)
FINISHED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
LONGEST_S = 150.0
Outcome: TypeAdapter[Manifest | Abandonment] = TypeAdapter(Manifest | Abandonment)


@dataclass(frozen=True)
class Ended:
    """An execution that has finished."""

    arn: str
    status: str
    error: str
    message: str
    """The message of the error as our code raised it, out of Lambda's JSON."""
    output: dict[str, Any]
    events: tuple[dict[str, Any], ...] = field(repr=False)

    @property
    def states(self) -> list[str]:
        """The states that were entered, in order."""
        return [e["stateEnteredEventDetails"]["name"] for e in self.events if "stateEnteredEventDetails" in e]

    def output_of(self, state: str) -> dict[str, Any]:
        """What a state put out the last time it ended."""
        exits = [e["stateExitedEventDetails"] for e in self.events if "stateExitedEventDetails" in e]
        found: dict[str, Any] = json.loads([e["output"] for e in exits if e["name"] == state][-1])
        return found


class Estate:
    """A region with our stacks in it, and the paths to everything that a run leaves."""

    def __init__(self, region: Region, plane: DirectoryPlane) -> None:
        self.region, self.plane = region, plane
        self.stacks = region.deploy(CDK_OUT)
        self.outputs = {key: value for stack in self.stacks.values() for key, value in stack.items()}
        self.calls: list[ApiCall] = []
        region.faults.before(self._see)
        self._minutes = 0

    def _see(self, call: ApiCall) -> None:
        # Every failure calls the guardian too, which looks at all locks.
        if call.caller.startswith("AerokeepWorkflow") and "Guardian" not in call.caller:
            self.calls.append(call)

    def configure(self, name: str, **changes: Any) -> tuple[str, str]:  # noqa: ANN401 - any field of a configuration
        """Write a cluster's parameter as the synth does, with a short write stop → the tag of its nodes."""
        config = {"name": name, "tag": {"key": "cluster", "value": name}, "write_stop": WRITE_STOP, **changes}
        self.region.client("ssm").put_parameter(
            Name=f"/aerokeep/clusters/{name}", Value=json.dumps(config), Type="String", Overwrite=True
        )
        return config["tag"]["key"], config["tag"]["value"]

    # -- executions

    def a_time(self) -> str:
        """A scheduled time that no run has had yet."""
        self._minutes += 1
        return f"2026-11-23T{self._minutes // 60:02}:{self._minutes % 60:02}:00Z"

    def start(self, **request: Any) -> str:  # noqa: ANN401 - any input, wrong ones too
        """Start a backup and don't wait → the execution's ARN."""
        states = self.region.client("stepfunctions")
        started = states.start_execution(
            stateMachineArn=self.outputs["BackupMachineArn"], input=json.dumps(request, default=str)
        )
        return str(started["executionArn"])

    def ended(self, arn: str) -> Ended:
        """Wait for an execution's end."""
        states, give_up = self.region.client("stepfunctions"), time.monotonic() + LONGEST_S
        while (told := states.describe_execution(executionArn=arn))["status"] not in FINISHED:
            assert time.monotonic() < give_up, f"{arn} is still running"
            time.sleep(0.05)
        pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
        return Ended(
            arn=arn,
            status=told["status"],
            error=told.get("error", ""),
            message=_message(told.get("cause", "")),
            output=json.loads(told.get("output") or "{}"),
            events=tuple(event for page in pages for event in page["events"]),
        )

    def run(self, **request: Any) -> Ended:  # noqa: ANN401 - any input, wrong ones too
        """Start a backup (at a new scheduled time, if the request is one of a known shape) and wait for its end."""
        return self.ended(self.start(**request))

    def wait_for_state(self, arn: str, state: str) -> None:
        """Wait until an execution has entered a state."""
        states, give_up = self.region.client("stepfunctions"), time.monotonic() + LONGEST_S
        while True:
            told = states.describe_execution(executionArn=arn)
            events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            if state in {e.get("stateEnteredEventDetails", {}).get("name") for e in events}:
                return
            assert time.monotonic() < give_up, f"{arn} never entered {state}"
            assert told["status"] not in FINISHED, f"never entered {state}: {_message(told.get('cause', ''))}"
            time.sleep(0.05)

    # -- what is left

    def owner(self, cluster: str) -> str | None:
        """The execution that holds the cluster's lock."""
        return self._item(cluster, "lock").get("owner")

    def entry(self, cluster: str, point: str) -> dict[str, str]:
        """The catalog's entry of a point."""
        return self._item(cluster, f"point#{point}")

    def _item(self, cluster: str, sort: str) -> dict[str, str]:
        key = {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": sort}}
        found = self.region.client("dynamodb").get_item(TableName=self.outputs["CatalogName"], Key=key)
        return {name: str(next(iter(value.values()))) for name, value in found.get("Item", {}).items()}

    def keys(self, prefix: str = "") -> set[str]:
        """The keys in the vault below a prefix."""
        pages = self.region.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs["VaultName"], Prefix=prefix)
        return {entry["Key"] for page in found for entry in page.get("Contents", [])}

    def object(self, key: str) -> bytes:
        """The bytes of an object in the vault."""
        body: bytes = self.region.client("s3").get_object(Bucket=self.outputs["VaultName"], Key=key)["Body"].read()
        return body

    def outcome(self, cluster: str, point: str) -> Manifest | Abandonment:
        """What stands under a point's manifest key."""
        return Outcome.validate_json(self.object(f"clusters/{cluster}/points/{point}/manifest.json"))

    def snapshots(self, run: str) -> list[dict[str, Any]]:
        """The snapshots that carry a run's tag."""
        wanted = [{"Name": "tag:aerokeep:run", "Values": [run]}]
        found: list[dict[str, Any]] = self.region.client("ec2").describe_snapshots(Filters=wanted)["Snapshots"]
        return found

    def acts(self) -> set[str]:
        """What our roles called, as ``service:Action``; a command with its document."""
        named = set()
        for call in self.calls:
            document = f" {call.params['DocumentName']}" if call.action == "SendCommand" else ""
            named.add(f"{call.service}:{call.action}{document}")
        return named


def point_of(cluster: str, scheduled_time: str) -> str:
    """The id of the point that a run at this time makes."""
    return f"{cluster}-{scheduled_time.replace('-', '').replace(':', '')}"


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """An EC2 resource's tags."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _message(cause: str) -> str:
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
