"""What roles may do, as the region holds it after deployment, and the policies of resources that count too."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.role_names import role_of
from sandbox.region import Region
from sandbox.region.hooks.cloudformation import resolve
from tests.infra.synthesis import STACKS, Synthesis

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Grant:
    """The smallest thing that can be taken away: one action on one pattern, in one statement of one role."""

    role: str
    """``backup/CutSnapshots``, ``backup (machine)`` …"""
    statement: str
    action: str
    resource: str

    def __str__(self) -> str:
        """``role: action on resource (statement)``."""
        return f"{self.role}: {self.action} on {self.resource} ({self.statement})"


@dataclass
class Policies:
    """Everything that is evaluated."""

    account: str
    names: dict[str, str] = field(default_factory=dict)
    """Role as the region knows it → its name here."""
    identity: dict[str, dict[str, Policy]] = field(default_factory=dict)
    """Role as the region knows it → policy's name → policy."""
    resource: dict[str, Policy] = field(default_factory=dict)
    """ARN of a bucket, key, queue or topic → its policy."""

    def principal(self, role: str) -> str:
        """A role's ARN."""
        return f"arn:aws:iam::{self.account}:role/{role}"

    def grants(self) -> Iterator[Grant]:
        """Each thing that some role may do by its own policies."""
        for role, policies in self.identity.items():
            for policy in policies.values():
                for number, statement in enumerate(policy["Statement"], start=1):
                    sid = str(statement.get("Sid", number))
                    for action in _listed(statement["Action"]):
                        for resource in _listed(statement["Resource"]):
                            yield Grant(self.names[role], sid, action, resource)


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def deployed(region: Region, cdk_out: Path) -> Policies:
    """Read everything through the region's API."""
    found, iam = Policies(region.account), region.client("iam")
    synthesis = Synthesis(cdk_out)
    for stack in STACKS:
        for resource in resolve(region, stack, synthesis.templates[stack]):
            name = resource.physical_id
            if resource.kind == "AWS::IAM::Role":
                found.names[name] = role_of(resource.logical_id).name
                found.identity[name] = dict(_of_role(iam, name))
            elif resource.kind in _RESOURCES:
                arn, policy = _RESOURCES[resource.kind](region, name)
                found.resource[arn] = policy
    return found


def _of_role(iam: Any, role: str) -> Iterator[tuple[str, Policy]]:  # noqa: ANN401  # boto3 makes its clients at run time
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield name, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        held = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
        yield attached["PolicyName"], held["PolicyVersion"]["Document"]


def _bucket(region: Region, name: str) -> tuple[str, Policy]:
    return f"arn:aws:s3:::{name}", json.loads(region.client("s3").get_bucket_policy(Bucket=name)["Policy"])


def _key(region: Region, name: str) -> tuple[str, Policy]:
    kms = region.client("kms")
    arn = str(kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"])
    return arn, json.loads(kms.get_key_policy(KeyId=name, PolicyName="default")["Policy"])


def _queue(region: Region, url: str) -> tuple[str, Policy]:
    told = region.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    return str(told["QueueArn"]), json.loads(told["Policy"])


def _topic(region: Region, arn: str) -> tuple[str, Policy]:
    return arn, json.loads(region.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])


_RESOURCES = {"AWS::S3::Bucket": _bucket, "AWS::KMS::Key": _key, "AWS::SQS::Queue": _queue, "AWS::SNS::Topic": _topic}
