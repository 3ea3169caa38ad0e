"""CloudFormation: change sets, as the CDK CLI uses them."""

import json
from typing import Any

from tests.contract import stacks
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.stacks import Template

STACK = "moto.cloudformation.models:Stack."
BACKEND = "moto.cloudformation.models:CloudFormationBackend."
RESPONSE = "moto.cloudformation.responses:CloudFormationResponse."
STACKS = "CloudFormation API reference, "
SETS = "CloudFormation user guide, Update stacks using change sets; "
NAME = "cdk-deploy-change-set"


def _propose(
    aws: Account,
    stack: str,
    template: Template | str,
    *,
    kind: str = "CREATE",
    **more: Any,  # noqa: ANN401  # a request's own fields
) -> dict[str, Any]:
    """Make a change set; → what it is once it has been made."""
    cloudformation = aws.client("cloudformation")
    named = {"StackName": stack, "ChangeSetName": NAME}
    cloudformation.create_change_set(TemplateBody=stacks.text(template), ChangeSetType=kind, **named, **more)
    assert aws.eventually(lambda: not str(_proposed(aws, stack)["Status"]).endswith("_IN_PROGRESS"))
    return _proposed(aws, stack)


def _proposed(aws: Account, stack: str) -> dict[str, Any]:
    told: dict[str, Any] = aws.client("cloudformation").describe_change_set(StackName=stack, ChangeSetName=NAME)
    return told


def _execute(aws: Account, stack: str, status: str = "CREATE_COMPLETE") -> None:
    aws.client("cloudformation").execute_change_set(StackName=stack, ChangeSetName=NAME)
    assert aws.eventually(lambda: stacks.status_of(aws, stack) == status)


@behaviour(
    "A stack that a change set makes exports what another one can import.",
    source=f"{SETS}Create a stack with a change set",
    calls=("cloudformation.ExecuteChangeSet",),
    hooks=(f"{BACKEND}execute_change_set",),
)
def _made_by_change_set(aws: Account) -> None:
    first, second = stacks.fresh(aws), stacks.fresh(aws)
    for stack, template in ((first, stacks.exporting(first)), (second, stacks.importing(first))):
        _propose(aws, stack, template)
        _execute(aws, stack)
    assert stacks.outputs(aws, second)["Imported"] == stacks.outputs(aws, first)["Group"]


@behaviour(
    "The change sets of a stack are gone when one of them has been executed.",
    source=f"{STACKS}ExecuteChangeSet",
    calls=("cloudformation.ExecuteChangeSet", "cloudformation.DescribeChangeSet"),
    hooks=(f"{BACKEND}execute_change_set",),
)
def _gone_when_executed(aws: Account) -> None:
    stack = stacks.fresh(aws)
    _propose(aws, stack, stacks.kept())
    _execute(aws, stack)
    refused = aws.refused("cloudformation", "describe_change_set", StackName=stack, ChangeSetName=NAME)
    assert refused == "ChangeSetNotFound"


@behaviour(
    "Change sets of different stacks may have the same name.",
    source=f"{STACKS}CreateChangeSet, ChangeSetName: unique among the change sets of the stack",
    calls=("cloudformation.DescribeChangeSet", "cloudformation.DeleteChangeSet", "cloudformation.ExecuteChangeSet"),
    hooks=(f"{RESPONSE}describe_change_set", f"{RESPONSE}delete_change_set"),
)
def _same_name_in_stacks(aws: Account) -> None:
    first, second, third = stacks.fresh(aws), stacks.fresh(aws), stacks.fresh(aws)
    for stack in (first, second, third):
        _propose(aws, stack, stacks.kept())
    assert _proposed(aws, first)["StackName"] == first
    aws.client("cloudformation").delete_change_set(StackName=third, ChangeSetName=NAME)
    assert _proposed(aws, first)["StackName"] == first
    _execute(aws, first)
    assert stacks.status_of(aws, second) == "REVIEW_IN_PROGRESS"


EXPONENT = '{"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 3e0}}'


@behaviour(
    "A JSON template is read as JSON, numbers with exponents too.",
    source="CloudFormation user guide, CloudFormation template format: JSON as in ECMA-404",
    calls=("cloudformation.CreateStack", "cloudformation.CreateChangeSet"),
    hooks=(f"{STACK}parse_template", "moto.cloudformation.models:ChangeSet._parse_template"),
    sandbox_only="it is about how moto reads JSON",
)
def _as_json(aws: Account) -> None:
    stack = stacks.fresh(aws)
    stacks.create(aws, stack, f'{{"Resources": {{"Group": {EXPONENT}}}}}')
    kept = [group.get("retentionInDays") for group in aws.client("logs").describe_log_groups()["logGroups"]]
    assert kept == [3]
    more = json.dumps(stacks.kept()["Resources"]["Group"])
    proposed = _propose(aws, stack, f'{{"Resources": {{"Group": {EXPONENT}, "More": {more}}}}}', kind="UPDATE")
    assert [change["ResourceChange"]["LogicalResourceId"] for change in proposed["Changes"]] == ["More"]


@behaviour(
    "Two change sets of one stack can't have the same name.",
    source=f"{STACKS}CreateChangeSet, AlreadyExistsException",
    calls=("cloudformation.CreateChangeSet",),
    hooks=(f"{BACKEND}create_change_set",),
)
def _same_name_in_a_stack(aws: Account) -> None:
    stack = stacks.fresh(aws)
    _propose(aws, stack, stacks.kept())
    asked = {"StackName": stack, "ChangeSetName": NAME, "ChangeSetType": "CREATE"}
    refused = aws.refused("cloudformation", "create_change_set", TemplateBody=json.dumps(stacks.kept(3)), **asked)
    assert refused == "AlreadyExistsException"


@behaviour(
    "A stack that waits for its first change set may have several.",
    source=f"{STACKS}CreateChangeSet, ChangeSetType: CREATE",
    calls=("cloudformation.CreateChangeSet",),
    hooks=(f"{BACKEND}create_change_set",),
)
def _several(aws: Account) -> None:
    stack, cloudformation = stacks.fresh(aws), aws.client("cloudformation")
    first = _propose(aws, stack, stacks.kept())
    asked = {"StackName": stack, "ChangeSetName": "another", "ChangeSetType": "CREATE"}
    second = cloudformation.create_change_set(TemplateBody=json.dumps(stacks.kept(3)), **asked)
    assert second["StackId"] == first["StackId"]
    _execute(aws, stack)


@behaviour(
    "A change set that changes nothing fails, says so, and can't be executed.",
    source=f"{SETS}View a change set: status FAILED, no changes",
    calls=("cloudformation.CreateChangeSet", "cloudformation.ExecuteChangeSet"),
    hooks=(f"{RESPONSE}_validate_different_update", f"{STACK}has_parameters", f"{RESPONSE}execute_change_set"),
)
def _without_changes(aws: Account) -> None:
    stack = stacks.fresh(aws)
    template = stacks.kept(Parameters={"Size": {"Type": "String", "Default": "small"}})
    stacks.create(aws, stack, template)
    previous = [{"ParameterKey": "Size", "UsePreviousValue": True}]
    proposed = _propose(aws, stack, template, kind="UPDATE", Parameters=previous)
    assert (proposed["Status"], proposed["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in proposed["StatusReason"]
    refused = aws.refused("cloudformation", "execute_change_set", StackName=stack, ChangeSetName=NAME)
    assert refused == "InvalidChangeSetStatus"


@behaviour(
    "The previous value of a parameter that names one of Systems Manager is the name.",
    source="CloudFormation user guide, CloudFormation-supplied parameter types",
    calls=("cloudformation.CreateChangeSet",),
    hooks=(f"{STACK}stack_parameters",),
)
def _previous_value(aws: Account) -> None:
    stack, ssm = stacks.fresh(aws), aws.client("ssm")
    ssm.put_parameter(Name=f"/{stack}/version", Value="30", Type="String")
    aws.later(lambda: ssm.delete_parameter(Name=f"/{stack}/version"))
    declared = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": f"/{stack}/version"}}
    stacks.create(aws, stack, stacks.kept(Parameters=declared))
    previous = [{"ParameterKey": "Version", "UsePreviousValue": True}]
    _propose(aws, stack, stacks.kept(3, Parameters=declared), kind="UPDATE", Parameters=previous)
    _execute(aws, stack, "UPDATE_COMPLETE")
