"""What is deployed in a region, as tests use it: executions to start and follow, the catalog, and the vault."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.stepfunctions.responses import get_backend

from sandbox.region import Region

CDK_OUT = Path(__file__).resolve().parents[1] / "cdk.out"
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


class Estate:
    """Starts executions and tells what they left."""

    def __init__(self, region: Region, *, cdk_out: Path = CDK_OUT) -> None:
        self.region = region
        stacks = region.deploy(cdk_out)
        self.outputs = {key: value for stack in stacks.values() for key, value in stack.items()}
        machines = region.client("stepfunctions").list_state_machines()["stateMachines"]
        self._machines = {str(m["name"]).removeprefix("aerokeep-"): str(m["stateMachineArn"]) for m in machines}
        self._silence()

    def _silence(self) -> None:
        """Let no event call the guardian: each row has its round, and one that comes by itself may get there first."""
        events, guardian = self.region.client("events"), self._machines[GUARDIAN]
        for rule in events.list_rule_names_by_target(TargetArn=guardian)["RuleNames"]:
            targets = events.list_targets_by_rule(Rule=rule)["Targets"]
            events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets if target["Arn"] == guardian])

    def configure(self, name: str, **settings: Any) -> None:  # noqa: ANN401  # any field of a configuration
        """Write a cluster's configuration as the synth would have."""
        config = {"name": name, "tag": {"key": TAG, "value": name}, **settings}
        self.region.client("ssm").put_parameter(
            Name=f"/aerokeep/clusters/{name}", Value=json.dumps(config), Type="String", Overwrite=True
        )

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
                states.stop_execution(executionArn=arn, error="TooLong", cause="the test lost its patience")
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

    def forget_timings(self, cluster: str) -> None:
        """Let the next run be planned as a cluster's first."""
        dynamodb, table = self.region.client("dynamodb"), self.outputs["CatalogName"]
        kept = dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :timing)",
            ExpressionAttributeValues={":pk": {"S": f"cluster#{cluster}"}, ":timing": {"S": "timing#"}},
        )
        for item in kept["Items"]:
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})

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
