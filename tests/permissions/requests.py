"""What IAM is asked for one AWS call: an action on a resource under conditions, once per resource."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Context = Mapping[str, str | list[str]]
Params = Mapping[str, Any]
EVERYTHING = "*"
_EC2_ID = re.compile(r"\b(i|vol|snap|ami|eni|subnet|sg)-[0-9a-f]{8,17}\b")
_STAMP = re.compile(r"\b\d{8}T\d{6}Z\b")
_TOKEN = re.compile(r"\b[0-9a-f]{32,64}\b")


@dataclass(frozen=True)
class Ask:
    """One question to IAM, before anybody knows who asks."""

    action: str
    resource: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    policy_of: str | None = None
    """The ARN of the bucket, key, queue or topic whose own policy counts too."""


@dataclass(frozen=True)
class Request:
    """One question to IAM, by a role."""

    role: str
    """The role's name as the region knows it."""
    ask: Ask


Rule = Callable[[Any, Params], Iterator[Ask]]
"""From the world as it is at the moment of a call, and the call's parameters."""


def asked(
    action: str, resource: str = EVERYTHING, context: Context | None = None, *, policy_of: str | None = None
) -> Ask:
    """One question, with its context in a fixed order, and alike for what differs only in ids of the moment."""
    pairs = sorted((context or {}).items())
    frozen = tuple((key, tuple(value) if isinstance(value, list) else _alike(value)) for key, value in pairs)
    return Ask(action, _alike(resource), frozen, policy_of)


def _alike(text: str) -> str:
    """No policy names an instance, a run or a job: thousands of requests are the same question."""
    return _STAMP.sub("00000000T000000Z", _EC2_ID.sub(r"\1-0", _TOKEN.sub("0", text)))


def of_request(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The context of tags that a call brings."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": sorted(tags)}


def of_resource(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The context of tags that a resource has."""
    prefixes = ("aws:ResourceTag/", "ec2:ResourceTag/", "ssm:resourceTag/")
    return {f"{prefix}{key}": value for key, value in tags.items() for prefix in prefixes}


def specified(params: Params, kind: str) -> dict[str, str]:
    """The tags that TagSpecifications give to a kind of resource."""
    return {
        str(tag["Key"]): str(tag["Value"])
        for specification in params.get("TagSpecifications") or ()
        if specification["ResourceType"] == kind
        for tag in specification.get("Tags") or ()
    }
