"""Acknowledge cdk-nag findings where they arise, each with its reason."""

from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(scope: IConstruct, rules: Iterable[str], *, reason: str) -> None:
    """Accept ``rules`` (such as ``AwsSolutions-IAM5[Resource::*]``) for ``scope`` and what it contains."""
    cdk.Validations.of(scope).acknowledge(*(cdk.Acknowledgment(id=rule, reason=reason) for rule in rules))


def wildcard_rule(scope: IConstruct, resource: str) -> str:
    """Name the IAM5 finding for ``resource`` as cdk-nag does: references in angle brackets, imports by their name."""
    return f"AwsSolutions-IAM5[Resource::{spelt(cdk.Stack.of(scope).resolve(resource))}]"


def spelt(value: Any) -> str:  # noqa: ANN401 - a CloudFormation value: text or an intrinsic function
    """Write a CloudFormation value as one line, as cdk-nag does."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(spelt, parts))
        case {"Fn::ImportValue": name}:
            return spelt(name)
        case _:
            return str(value)
