"""An AWS region on loopback: moto's control plane, corrected, over a real data plane."""

import functools
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.core.config import default_user_config

from sandbox.region import hooks, nodes
from sandbox.region.alarms import Alarms
from sandbox.region.bus import Bus
from sandbox.region.changes import Changes
from sandbox.region.commands import Commands
from sandbox.region.credentials import OPERATOR, SECRET, access_key
from sandbox.region.ec2.compute import Compute
from sandbox.region.endpoint import Endpoint, Gate
from sandbox.region.faults import Faults
from sandbox.region.follow import StateEvent, follow
from sandbox.region.hooks.events import heard, topic_messages
from sandbox.region.hooks.stepfunctions import abort_executions
from sandbox.region.invocations import Invocation
from sandbox.region.lambdas.fleet import Fleet
from sandbox.region.mirror import Mirror
from sandbox.region.notices import Notices
from sandbox.region.pace import Pace
from sandbox.region.plane import Plane, RolePlane
from sandbox.region.recorder import HostAct, Recorder
from sandbox.region.schedules import Schedules
from sandbox.region.snapshots import Ledger
from sandbox.region.throttles import Throttles

if TYPE_CHECKING:
    from sandbox.region.deploy.differences import Difference

ACCOUNT = "111122223333"
LAYER = Path("build/layer-local")
LEFT_OUT = ("AWS_PROFILE", "AWS_ENDPOINT_URL")


_making = threading.Lock()


@functools.cache
def _session() -> boto3.session.Session:
    """One session for all clients: it keeps the service models, which take long to read."""
    return boto3.session.Session()


class Region:
    """One AWS account in one region. At most one runs in a process, since moto is one."""

    def __init__(
        self,
        plane: Plane,
        *,
        account: str = ACCOUNT,
        region: str = "eu-central-1",
        pace: Pace | None = None,
        layer: Path = LAYER,
        port: int = 0,
    ) -> None:
        self.account, self.region = account, region
        self.pace = pace or Pace()
        self.plane = plane
        self.tag = plane.workdir.name
        self.faults = Faults()
        self.throttles = Throttles(self.pace)
        self.mirror = Mirror(plane, self.pace)
        self.changes = Changes()
        self.fleet = Fleet(
            layer_dir=layer.resolve(), folder=plane.workdir / "lambda", tag=self.tag, starting=self._let_start
        )
        self.recorder = Recorder(self.fleet)
        self.commands = Commands(plane, self.pace, tag=self.tag, changes=self.changes, ended=self._note)
        self.ec2 = Compute(self)
        self.snapshots = Ledger(plane, self.pace, clockwork=self.ec2.clockwork, changes=self.changes)
        self.ec2.instances.at_boot.append(self._give_role)
        self.bus = Bus(
            functools.partial(self.client, caller="events", attempts=1),
            pace=self.pace,
            later=functools.partial(self.ec2.clockwork.after, resource="events", state="on-its-way"),
            heard=functools.partial(heard, self),
        )
        self.notices = Notices(self)
        self.alarms = Alarms(self)
        self.schedules = Schedules(self)
        self._endpoint: Endpoint | None = None
        self._port = port
        self._clients: dict[tuple[str, str, int, bool], Any] = {}
        self._environment: dict[str, str | None] = {}
        self._loudness = logging.NOTSET

    def start(self) -> str:
        """Start everything; → the endpoint's URL.

        Raises:
            RuntimeError: a region runs already in this process, or moto is not the one that the hooks fit.

        """
        hooks.install(self)
        self._set_environment()
        BackendDict.reset()
        self._loudness = logging.getLogger("moto").level
        logging.getLogger("moto").setLevel(logging.CRITICAL)  # a state that fails is no news to the region
        default_user_config["stepfunctions"]["execute_state_machine"] = True
        default_user_config["iam"]["load_aws_managed_policies"] = True
        gate = Gate(self.faults, self.recorder, throttles=self.throttles, pace=self.pace)
        self._endpoint = Endpoint(gate, port=self._port)
        os.environ["MOTO_PORT"] = str(self._endpoint.port)
        self._endpoint.start()
        self.bus.start()
        self.ec2.clockwork.start()
        self.alarms.start()
        self.schedules.start()
        self.plane.relay(self._endpoint.port)
        return self._endpoint.url

    def stop(self) -> None:
        """End everything that `start` and the calls since have started. Idempotent."""
        if self._endpoint is None:
            return
        with ExitStack() as rest:  # last in, first out; one that fails keeps none of the others from being done
            rest.callback(self._restore_environment)
            rest.callback(logging.getLogger("moto").setLevel, self._loudness)
            rest.callback(hooks.uninstall)
            rest.callback(self._stop_endpoint)
            rest.callback(self.fleet.stop)
            rest.callback(self.commands.stop)
            # Whoever might start another execution goes first.
            rest.callback(abort_executions, self)
            rest.callback(self.bus.stop)
            rest.callback(self.ec2.clockwork.stop)
            rest.callback(self.alarms.stop)
            rest.callback(self.schedules.stop)
            self.faults.clear()

    def _stop_endpoint(self) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.stop()

    def _restore_environment(self) -> None:
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _set_environment(self) -> None:
        ours = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_ACCOUNT_ID": self.account, "MOTO_PORT": ""}
        for name in (*ours, *LEFT_OUT):
            self._environment.setdefault(name, os.environ.pop(name, None))
        os.environ.update(ours)

    @property
    def endpoint(self) -> str:
        """The endpoint's URL."""
        if self._endpoint is None:
            raise RuntimeError("the region has not been started")
        return self._endpoint.url

    def client(
        self,
        service: str,
        *,
        caller: str = OPERATOR,
        attempts: int = 3,
        read_timeout_s: int = 60,
        validate: bool = True,
    ) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
        """A boto3 client of the region that signs as `caller`."""
        key = (service, caller, attempts, validate)
        with _making:
            if key not in self._clients:
                config = Config(
                    proxies={},
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    read_timeout=read_timeout_s,
                    max_pool_connections=50,
                    parameter_validation=validate,
                    signature_version="s3v4" if service == "s3" else None,
                )
                self._clients[key] = _session().client(
                    service,  # type: ignore[call-overload]  # any service's name
                    endpoint_url=self.endpoint,
                    region_name=self.region,
                    aws_access_key_id=access_key(caller),
                    aws_secret_access_key=SECRET,
                    config=config,
                )
            return self._clients[key]

    def environment_of(self, role: str) -> dict[str, str]:
        """The AWS environment of code that runs as `role`."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": access_key(role),
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def _note(self, invocation: Invocation) -> None:
        began = invocation.started_at or invocation.requested_at
        self.recorder.act(
            HostAct(
                at=began,
                instance_id=invocation.instance_id,
                document=invocation.document,
                environment=dict(invocation.script.environment),
                status=invocation.status,
                exit_code=invocation.response_code,
                seconds=(invocation.ended_at or time.time()) - began,
            )
        )

    def _let_start(self, *, cold: bool) -> None:
        seconds = self.pace.lambda_warm_s + (self.pace.lambda_cold_s if cold else 0.0)
        if seconds:
            time.sleep(seconds)

    def _give_role(self, instance_id: str) -> None:
        """Let a node that has been powered on call AWS in the role of its instance profile."""
        if isinstance(self.plane, RolePlane):
            role = self.ec2.role_of(instance_id)
            self.plane.give_role(instance_id, self.environment_of(role) if role else {})

    def launch_node(self, name: str, private_ip: str, **details: Any) -> nodes.Node:  # noqa: ANN401  # see NodeSpec
        """Launch an instance through the public API; `details` are the other fields of `nodes.NodeSpec`."""
        return nodes.launch(self, nodes.NodeSpec(name=name, private_ip=private_ip, **details))

    def set_agent(
        self,
        instance_id: str,
        *,
        online: bool,
        hears: bool = True,
        replies: bool = True,
        heeds_cancel: bool = True,
        version: str | None = None,
    ) -> None:
        """Say whether a node's SSM agent is reachable, what it then does with commands, and which version it is."""
        agent = self.commands.agent(instance_id)
        agent.online, agent.hears, agent.version = online, hears, version or agent.version
        agent.replies, agent.heeds_cancel = replies, heeds_cancel

    def power_loss(self, instance_id: str) -> None:
        """The host under an instance dies: no process, agent or instance store is left, yet it is ``running``."""
        self.ec2.instances.power_loss(instance_id)

    def managed(self) -> Sequence[str]:
        """Instances that SSM knows: all whose agent has answered once, but terminated ones."""
        alive = [str(instance.id) for instance in self.ec2.all_instances() if instance.state != "terminated"]
        return [instance_id for instance_id in alive if self.commands.agent(instance_id).registered]

    def instance_information(self, instance_id: str) -> dict[str, Any]:
        """What DescribeInstanceInformation says of one node."""
        agent = self.commands.agent(instance_id)
        return {
            "InstanceId": instance_id,
            "PingStatus": "Online" if agent.seems_online else "ConnectionLost",
            "AgentVersion": agent.version,
            "IsLatestVersion": True,
            "PlatformType": "Linux",
            "ResourceType": "EC2Instance",
        }

    def logs(self, function_name: str) -> str:
        """All that a function's instances have written."""
        return self.fleet.logs(function_name)

    def follow(self, execution_arn: str) -> Iterator[StateEvent]:
        """What happens in an execution, until it has finished."""
        return follow(self.client("stepfunctions"), execution_arn)

    def topic_messages(self, topic_arn: str) -> list[str]:
        """The messages that a topic has received, oldest first."""
        self.bus.drain()
        return topic_messages(self, topic_arn)

    def deploy(self, cdk_out: Path, stacks: Sequence[str] | None = None) -> dict[str, dict[str, str]]:
        """Deploy a synthesized app; → stack → outputs. Templates are used byte for byte."""
        from sandbox.region.deploy import app  # noqa: PLC0415  # the deploy package uses Region

        return app.deploy(self, cdk_out, stacks)

    def compare(self, template: Mapping[str, Any], stack: str) -> "list[Difference]":
        """Where the region does not hold what a template says."""
        from sandbox.region.deploy import differences  # noqa: PLC0415  # the same

        return differences.compare(self, template, stack)
