"""What a row of the contract talks to: the sandbox's region, or a real account that the environment names."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from sandbox.region import Region, VolumeSpec
from sandbox.region.clockwork import ANY

PROFILE, SUBNET, IMAGE = "AEROKEEP_CONTRACT_PROFILE", "AEROKEEP_CONTRACT_SUBNET", "AEROKEEP_CONTRACT_IMAGE"
HOW_TO = (
    f"set {PROFILE} (an AWS profile of an account that may be charged), {SUBNET} (a subnet's id) "
    f"and {IMAGE} (an Amazon Linux AMI's id) to run the contract against AWS"
)
IP, DEVICE = "10.77.0.77", "/dev/sdf"
TAG = {"Key": "aerokeep:contract", "Value": "row"}


@dataclass(frozen=True)
class ContractNode:
    """An instance that runs, with one data volume of 1 GiB at `DEVICE`."""

    instance_id: str
    volume_id: str
    root_volume_id: str


class Account:
    """Clients, a node, and what must be put away afterwards."""

    def __init__(self, region: Region | None) -> None:
        self._region = region
        self._clean_up = ExitStack()
        self._node: ContractNode | None = None
        self.patience_s = 5.0 if region else 900.0

    @property
    def region(self) -> Region:
        """The sandbox's region, for rows that a real account can't be asked about.

        Raises:
            LookupError: this is a real account.

        """
        if self._region is None:
            raise LookupError("a row that needs the sandbox must say sandbox_only")
        return self._region

    @property
    def is_real(self) -> bool:
        """What is made costs money, and outlives the row unless it is put away."""
        return self._region is None

    def client(self, service: str, **options: Any) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
        """A boto3 client; one attempt, so that a refusal is seen as it is."""
        if self._region is not None:
            return self._region.client(service, attempts=1, **options)
        session = boto3.session.Session(profile_name=os.environ[PROFILE])
        return session.client(service)  # type: ignore[call-overload]  # any service's name

    def refused(self, service: str, action: str, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
        """The code that a call is refused with; empty if it is not."""
        try:
            getattr(self.client(service), action)(**request)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def eventually(self, question: Callable[[], bool]) -> bool:
        """Ask until it is so, or patience ends."""
        deadline = time.monotonic() + self.patience_s
        while not (answer := question()) and time.monotonic() < deadline:
            time.sleep(0.01 if self._region else 5.0)
        return answer or question()

    @contextmanager
    def lingering(self, state: str) -> Iterator[None]:
        """Within the block nothing leaves a passing state, so that a slow machine sees it too; AWS takes its time."""
        if self._region is None:
            yield
            return
        self._region.ec2.stick(ANY, state)
        try:
            yield
        finally:
            self._region.ec2.unstick(ANY, state)

    def later(self, undo: Callable[[], object]) -> None:
        """Put something away when the row has ended, last in, first out."""
        self._clean_up.callback(undo)

    def node(self) -> ContractNode:
        """The row's node, launched when first asked for."""
        if self._node is None:
            self._node = self._launch_here() if self._region else self._launch_there()
        return self._node

    def _launch_here(self) -> ContractNode:
        made = self.region.launch_node("contract", IP, volumes=(VolumeSpec(device=DEVICE, size_gib=1),))
        return ContractNode(made.instance_id, made.volumes[DEVICE], made.root_volume_id)

    def _launch_there(self) -> ContractNode:
        ec2 = self.client("ec2")
        mapping = {"DeviceName": DEVICE, "Ebs": {"VolumeSize": 1, "VolumeType": "gp3", "DeleteOnTermination": True}}
        made = ec2.run_instances(
            ImageId=os.environ[IMAGE],
            SubnetId=os.environ[SUBNET],
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[mapping],
            TagSpecifications=[{"ResourceType": kind, "Tags": [TAG]} for kind in ("instance", "volume")],
        )["Instances"][0]
        instance_id = made["InstanceId"]
        self.later(lambda: ec2.terminate_instances(InstanceIds=[instance_id]))
        ec2.get_waiter("instance_running").wait(InstanceIds=[instance_id])
        found = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
        volumes = {entry["DeviceName"]: entry["Ebs"]["VolumeId"] for entry in found["BlockDeviceMappings"]}
        return ContractNode(instance_id, volumes[DEVICE], volumes[found["RootDeviceName"]])

    def close(self) -> None:
        """Put everything away."""
        self._clean_up.close()


def real() -> bool:
    """The environment names a real account."""
    return all(os.environ.get(name) for name in (PROFILE, SUBNET, IMAGE))
