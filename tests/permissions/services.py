"""What AWS's own services ask IAM in the name of our roles, since they are set up so: no call of ours shows it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.region import Region
from sandbox.region.hooks.cloudformation import resolve
from tests.infra.synthesis import STACKS, Synthesis
from tests.permissions.requests import Request, asked

Properties = Mapping[str, Any]
DELIVERY = (
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
)
"""What Step Functions needs to log (its manual, *Logging in CloudWatch Logs*)."""
SEGMENTS = ("PutTelemetryRecords", "PutTraceSegments")
SAMPLING = ("GetSamplingRules", "GetSamplingTargets")


def service_requests(region: Region, cdk_out: Path) -> dict[Request, str]:
    """Everything that the deployed templates let services ask, each with who asks."""
    synthesis, found = Synthesis(cdk_out), {}
    for stack in STACKS:
        for resource in resolve(region, stack, synthesis.templates[stack]):
            if (told := TELLERS.get(resource.kind)) is not None:
                found.update(dict.fromkeys(told(region, resource.properties), resource.kind))
    return found


def _role(arn: str) -> str:
    return arn.rpartition("/")[2]


def _function(region: Region, function: Properties) -> Iterator[Request]:
    """Lambda writes the log, and the trace."""
    role, group = _role(function["Role"]), function["LoggingConfig"]["LogGroup"]
    stream = f"arn:aws:logs:{region.region}:{region.account}:log-group:{group}:log-stream:stream"
    yield from (Request(role, asked(f"logs:{action}", stream)) for action in ("CreateLogStream", "PutLogEvents"))
    if function["TracingConfig"]["Mode"] == "Active":
        yield from (Request(role, asked(f"xray:{action}")) for action in SEGMENTS)


def _machine(_region: Region, machine: Properties) -> Iterator[Request]:
    role = _role(machine["RoleArn"])
    if machine["LoggingConfiguration"]["Destinations"]:
        yield from (Request(role, asked(f"logs:{action}")) for action in DELIVERY)
    if str(machine["TracingConfiguration"]["Enabled"]).lower() == "true":
        yield from (Request(role, asked(f"xray:{action}")) for action in (*SEGMENTS, *SAMPLING))


def _target(target: Properties) -> Iterator[Request]:
    """A state machine is started; what could not be started goes into the queue."""
    if "RoleArn" in target:
        role = _role(target["RoleArn"])
        yield Request(role, asked("states:StartExecution", target["Arn"]))
        if queue := target.get("DeadLetterConfig", {}).get("Arn"):
            yield Request(role, asked("sqs:SendMessage", queue, {"aws:SecureTransport": "true"}, policy_of=queue))


def _schedule(_region: Region, schedule: Properties) -> Iterator[Request]:
    yield from _target(schedule["Target"])


def _rule(_region: Region, rule: Properties) -> Iterator[Request]:
    for target in rule["Targets"]:
        yield from _target(target)


TELLERS: Mapping[str, Callable[[Region, Properties], Iterator[Request]]] = {
    "AWS::Lambda::Function": _function,
    "AWS::StepFunctions::StateMachine": _machine,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Events::Rule": _rule,
}
