"""Stacks that rows of the contract make, and put away."""

import json
from typing import Any

from tests.contract.account import Account
from tests.contract.made import a_name

Template = dict[str, Any]


def kept(days: int = 1, **more: Any) -> Template:  # noqa: ANN401  # a template's own sections
    """A template with one log group, kept for so many days."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
    return {"Resources": {"Group": group}, **more}


def exporting(name: str, days: int = 1) -> Template:
    return kept(days, Outputs={"Group": {"Value": {"Ref": "Group"}, "Export": {"Name": name}}})


def importing(name: str) -> Template:
    return kept(Outputs={"Imported": {"Value": {"Fn::ImportValue": name}}})


def text(template: Template | str) -> str:
    return template if isinstance(template, str) else json.dumps(template)


def fresh(aws: Account) -> str:
    """A name that no stack has; whatever stack has it when the row ends is deleted."""
    name = a_name()
    aws.later(lambda: aws.client("cloudformation").delete_stack(StackName=name))
    return name


def status_of(aws: Account, stack: str) -> str:
    return str(described(aws, stack)["StackStatus"])


def described(aws: Account, stack: str) -> dict[str, Any]:
    told: dict[str, Any] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return told


def outputs(aws: Account, stack: str) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in described(aws, stack).get("Outputs", [])}


def create(aws: Account, stack: str, template: Template | str, status: str = "CREATE_COMPLETE") -> None:
    aws.client("cloudformation").create_stack(StackName=stack, TemplateBody=text(template))
    assert aws.eventually(lambda: status_of(aws, stack) == status)


def update(aws: Account, stack: str, template: Template) -> None:
    aws.client("cloudformation").update_stack(StackName=stack, TemplateBody=json.dumps(template))
    assert aws.eventually(lambda: status_of(aws, stack) == "UPDATE_COMPLETE")
