"""Protected clusters of light hosts, what may befall them, and a record of all that our roles did about it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from sandbox.light.launch import DATA_DEVICES, LightCluster, Member
from sandbox.region import ApiCall
from tests.crash.field import Execution, Field

LOOKING = {"ec2": ("Describe", "Get"), "cloudwatch": ("Describe",), "ssm": ("Describe", "Get", "List")}
"""Calls that change nothing begin so."""
BOOKS = frozenset({"dynamodb", "s3", "kms", "logs", "xray", "lambda"})
"""What is written there is our own; a machine invokes its steps."""
HARMLESS_VERBS = frozenset({"aerokeep-health", "aerokeep-survey"})
QUICK = {"patience_s": 3, "cool_down_s": 0}
POLL_S = 0.05
SOON_S = 30.0


class Scene:
    """A field, and the clusters on it."""

    def __init__(self, field: Field) -> None:
        self.field, self.region = field, field.region
        self._calls: list[ApiCall] = []
        self._started = 0
        self.region.faults.before(self._see)

    @classmethod
    def open(cls) -> Self:
        """A scene of its own region; `close` it."""
        return cls(Field.open())

    def close(self) -> None:
        """End everything."""
        self.field.close()

    def _see(self, call: ApiCall) -> None:
        if call.caller.startswith("AerokeepWorkflow-ReplaceNode"):
            self._calls.append(call)

    # -- clusters and what befalls them

    def protected(self, name: str, **replace: Any) -> LightCluster:  # noqa: ANN401 - any field of the policy
        """A cluster of three that `protect` has seen to."""
        cluster = self.field.launch(name, replace={**QUICK, **replace})
        ended = self.field.run("protect", f"{name}-protect", {"cluster": name})
        assert ended.status == "SUCCEEDED", ended.words
        return cluster

    def power_loss(self, cluster: LightCluster, *numbers: int) -> Member:
        """The nodes lose their hosts → the first of them."""
        for number in numbers:
            self.region.power_loss(cluster.members[number - 1].instance_id)
        return cluster.members[numbers[0] - 1]

    def terminated(self, member: Member) -> str:
        """A person has ended the instance; its interface is free → the interface's id."""
        ec2 = self.region.client("ec2")
        found = ec2.describe_instances(InstanceIds=[member.instance_id])["Reservations"][0]["Instances"][0]
        interface_id = str(found["NetworkInterfaces"][0]["NetworkInterfaceId"])
        ec2.terminate_instances(InstanceIds=[member.instance_id])
        self.until(lambda: self.interface(interface_id)["Status"] == "available", "a free interface")
        return interface_id

    def interface(self, interface_id: str) -> dict[str, Any]:
        """A network interface as EC2 describes it."""
        found: dict[str, Any] = self.region.client("ec2").describe_network_interfaces(
            NetworkInterfaceIds=[interface_id]
        )["NetworkInterfaces"][0]
        return found

    def instance(self, instance_id: str) -> dict[str, Any]:
        """An instance as EC2 describes it."""
        found = self.region.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
        instance: dict[str, Any] = found[0]["Instances"][0]
        return instance

    def is_gone(self, instance_id: str) -> bool:
        """It is terminated, or so for so long that EC2 does not show it any more."""
        wanted = [{"Name": "instance-id", "Values": [instance_id]}]
        found = self.region.client("ec2").describe_instances(Filters=wanted)["Reservations"]
        return all(i["State"]["Name"] == "terminated" for r in found for i in r["Instances"])

    def volumes_of(self, member: Member) -> dict[str, str]:
        """Device → volume id, data volumes alone."""
        mappings = self.instance(member.instance_id)["BlockDeviceMappings"]
        found = {mapping["DeviceName"]: str(mapping["Ebs"]["VolumeId"]) for mapping in mappings}
        return {device: volume for device, volume in found.items() if device in DATA_DEVICES}

    @staticmethod
    def until(question: Callable[[], bool], what: str) -> None:
        """Wait for something that is to come."""
        give_up = time.monotonic() + SOON_S
        while not question():
            assert time.monotonic() < give_up, f"never: {what}"
            time.sleep(POLL_S)

    # -- executions, and what they did

    def replace(self, request: Mapping[str, Any]) -> Execution:
        """Start ``replace-node`` and wait for its end."""
        return self.field.ended(self.begin(request))

    def begin(self, request: Mapping[str, Any]) -> str:
        """Start ``replace-node`` → the execution's ARN."""
        self._started += 1
        return self.field.start("replace-node", f"replace-{self._started}", request)

    def wait_for_state(self, arn: str, state: str) -> None:
        """Wait until an execution has entered a state."""
        states = self.region.client("stepfunctions")

        def entered() -> bool:
            events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            return state in {e.get("stateEnteredEventDetails", {}).get("name") for e in events}

        self.until(entered, f"{arn} in {state}")

    @contextmanager
    def acts(self) -> Iterator[set[str]]:
        """What the roles of ``replace-node`` do within the block beyond looking."""
        done: set[str] = set()
        begin = len(self._calls)
        yield done
        for call in self._calls[begin:]:
            if call.service in BOOKS:
                continue
            if call.action == "SendCommand":
                if call.params["DocumentName"] not in HARMLESS_VERBS:
                    done.add(f"SendCommand {call.params['DocumentName']}")
            elif not call.action.startswith(LOOKING.get(call.service, ())):
                done.add(call.action)

    def inventory(self, cluster: str) -> dict[str, Any]:
        """The newest inventory."""
        s3, bucket = self.region.client("s3"), self.field.outputs["VaultName"]
        body = s3.get_object(Bucket=bucket, Key=f"clusters/{cluster}/inventory.json")["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found

    def alarms(self, cluster: str) -> dict[str, dict[str, str]]:
        """Name → dimensions of the cluster's node alarms."""
        found = self.region.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"aerokeep-{cluster}-node-")
        return {
            alarm["AlarmName"]: {d["Name"]: d["Value"] for d in alarm["Dimensions"]} for alarm in found["MetricAlarms"]
        }
