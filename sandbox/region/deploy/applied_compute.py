"""IAM and Lambda: what moto's CloudFormation drops of them, put through their API."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Apply = Callable[[Client, Resource], None]


def role(client: Client, resource: Resource) -> None:
    """Managed policies; and the inline ones as JSON, which moto keeps as Python's repr."""
    for policy in resource.properties.get("Policies", []):
        document = json.dumps(policy["PolicyDocument"])
        client("iam").put_role_policy(
            RoleName=resource.physical_id, PolicyName=policy["PolicyName"], PolicyDocument=document
        )
    for arn in resource.properties.get("ManagedPolicyArns", []):
        client("iam").attach_role_policy(RoleName=resource.physical_id, PolicyArn=arn)


def event_invoke_config(client: Client, resource: Resource) -> None:
    """Retries of asynchronous invocations."""
    wanted = dict(resource.properties)
    wanted.pop("Qualifier", None)
    client("lambda").put_function_event_invoke_config(**wanted)


APPLY: dict[str, Apply] = {
    "AWS::IAM::Role": role,
    "AWS::Lambda::EventInvokeConfig": event_invoke_config,
}
