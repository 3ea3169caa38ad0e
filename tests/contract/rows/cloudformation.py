"""Stacks and change sets, as the CDK CLI uses them, and the roles that it assumes."""

import json
import uuid
from typing import Any

from tests.contract.account import Account
from tests.contract.behaviour import behaviour

STACK = "moto.cloudformation.models:Stack."
BACKEND = "moto.cloudformation.models:CloudFormationBackend."
RESPONSE = "moto.cloudformation.responses:CloudFormationResponse."
STS = "moto.sts.models:STSBackend."
STACKS, SETS = "CloudFormation API reference, ", "CloudFormation user guide, Update stacks using change sets; "
NAME = "cdk-deploy-change-set"
Template = dict[str, Any]


def _kept(days: int = 1, **more: Any) -> Template:  # noqa: ANN401  # a template's own sections
    """A template with one log group, kept for so many days."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}}
    return {"Resources": {"Group": group}, **more}


def _exporting(name: str, days: int = 1) -> Template:
    return _kept(days, Outputs={"Group": {"Value": {"Ref": "Group"}, "Export": {"Name": name}}})


def _importing(name: str) -> Template:
    return _kept(Outputs={"Imported": {"Value": {"Fn::ImportValue": name}}})


def _fresh(aws: Account) -> str:
    """A name that no stack has; whatever stack has it when the row ends is deleted."""
    name = f"aerokeep-contract-{uuid.uuid4().hex[:12]}"
    aws.later(lambda: aws.client("cloudformation").delete_stack(StackName=name))
    return name


def _status(aws: Account, stack: str) -> str:
    return str(_told(aws, stack)["StackStatus"])


def _told(aws: Account, stack: str) -> dict[str, Any]:
    told: dict[str, Any] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return told


def _outputs(aws: Account, stack: str) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in _told(aws, stack).get("Outputs", [])}


def _create(aws: Account, stack: str, template: Template, status: str = "CREATE_COMPLETE") -> None:
    aws.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))
    assert aws.eventually(lambda: _status(aws, stack) == status)


def _update(aws: Account, stack: str, template: Template) -> None:
    aws.client("cloudformation").update_stack(StackName=stack, TemplateBody=json.dumps(template))
    assert aws.eventually(lambda: _status(aws, stack) == "UPDATE_COMPLETE")


def _propose(aws: Account, stack: str, template: Template, *, kind: str = "CREATE", **more: Any) -> dict[str, Any]:  # noqa: ANN401  # a request's own fields
    """Make a change set; → what it is once it has been made."""
    cloudformation = aws.client("cloudformation")
    named = {"StackName": stack, "ChangeSetName": NAME}
    cloudformation.create_change_set(TemplateBody=json.dumps(template), ChangeSetType=kind, **named, **more)
    assert aws.eventually(lambda: not str(_proposed(aws, stack)["Status"]).endswith("_IN_PROGRESS"))
    return _proposed(aws, stack)


def _proposed(aws: Account, stack: str) -> dict[str, Any]:
    told: dict[str, Any] = aws.client("cloudformation").describe_change_set(StackName=stack, ChangeSetName=NAME)
    return told


def _execute(aws: Account, stack: str, status: str = "CREATE_COMPLETE") -> None:
    aws.client("cloudformation").execute_change_set(StackName=stack, ChangeSetName=NAME)
    assert aws.eventually(lambda: _status(aws, stack) == status)


@behaviour(
    "A stack that a change set makes exports what another one can import.",
    source=f"{SETS}Create a stack with a change set",
    calls=("cloudformation.ExecuteChangeSet",),
    hooks=(f"{BACKEND}execute_change_set",),
)
def _made_by_change_set(aws: Account) -> None:
    first, second = _fresh(aws), _fresh(aws)
    for stack, template in ((first, _exporting(first)), (second, _importing(first))):
        _propose(aws, stack, template)
        _execute(aws, stack)
    assert _outputs(aws, second)["Imported"] == _outputs(aws, first)["Group"]


@behaviour(
    "The change sets of a stack are gone when one of them has been executed.",
    source=f"{STACKS}ExecuteChangeSet",
    calls=("cloudformation.ExecuteChangeSet", "cloudformation.DescribeChangeSet"),
    hooks=(f"{BACKEND}execute_change_set",),
)
def _gone_when_executed(aws: Account) -> None:
    stack = _fresh(aws)
    _propose(aws, stack, _kept())
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
    first, second, third = _fresh(aws), _fresh(aws), _fresh(aws)
    for stack in (first, second, third):
        _propose(aws, stack, _kept())
    assert _proposed(aws, first)["StackName"] == first
    aws.client("cloudformation").delete_change_set(StackName=third, ChangeSetName=NAME)
    assert _proposed(aws, first)["StackName"] == first
    _execute(aws, first)
    assert _status(aws, second) == "REVIEW_IN_PROGRESS"


@behaviour(
    "Two change sets of one stack can't have the same name.",
    source=f"{STACKS}CreateChangeSet, AlreadyExistsException",
    calls=("cloudformation.CreateChangeSet",),
    hooks=(f"{BACKEND}create_change_set",),
)
def _same_name_in_a_stack(aws: Account) -> None:
    stack = _fresh(aws)
    _propose(aws, stack, _kept())
    asked = {"StackName": stack, "ChangeSetName": NAME, "ChangeSetType": "CREATE"}
    refused = aws.refused("cloudformation", "create_change_set", TemplateBody=json.dumps(_kept(3)), **asked)
    assert refused == "AlreadyExistsException"


@behaviour(
    "A stack that waits for its first change set may have several.",
    source=f"{STACKS}CreateChangeSet, ChangeSetType: CREATE",
    calls=("cloudformation.CreateChangeSet",),
    hooks=(f"{BACKEND}create_change_set",),
)
def _several(aws: Account) -> None:
    stack, cloudformation = _fresh(aws), aws.client("cloudformation")
    first = _propose(aws, stack, _kept())
    asked = {"StackName": stack, "ChangeSetName": "another", "ChangeSetType": "CREATE"}
    second = cloudformation.create_change_set(TemplateBody=json.dumps(_kept(3)), **asked)
    assert second["StackId"] == first["StackId"]
    _execute(aws, stack)


@behaviour(
    "A change set that changes nothing fails, says so, and can't be executed.",
    source=f"{SETS}View a change set: status FAILED, no changes",
    calls=("cloudformation.CreateChangeSet", "cloudformation.ExecuteChangeSet"),
    hooks=(f"{RESPONSE}_validate_different_update", f"{STACK}has_parameters", f"{RESPONSE}execute_change_set"),
)
def _without_changes(aws: Account) -> None:
    stack = _fresh(aws)
    template = _kept(Parameters={"Size": {"Type": "String", "Default": "small"}})
    _create(aws, stack, template)
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
    stack, ssm = _fresh(aws), aws.client("ssm")
    ssm.put_parameter(Name=f"/{stack}/version", Value="30", Type="String")
    aws.later(lambda: ssm.delete_parameter(Name=f"/{stack}/version"))
    declared = {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": f"/{stack}/version"}}
    _create(aws, stack, _kept(Parameters=declared))
    previous = [{"ParameterKey": "Version", "UsePreviousValue": True}]
    _propose(aws, stack, _kept(3, Parameters=declared), kind="UPDATE", Parameters=previous)
    _execute(aws, stack, "UPDATE_COMPLETE")


@behaviour(
    "An update that changes nothing is refused.",
    source="CloudFormation user guide, Troubleshooting: No updates to perform",
    calls=("cloudformation.UpdateStack",),
    hooks=(f"{BACKEND}update_stack",),
)
def _nothing_to_update(aws: Account) -> None:
    stack = _fresh(aws)
    _create(aws, stack, _kept())
    asked = {"StackName": stack, "TemplateBody": json.dumps(_kept())}
    assert aws.refused("cloudformation", "update_stack", **asked) == "ValidationError"


@behaviour(
    "A resource that is updated keeps the name that CloudFormation gave it.",
    source="CloudFormation user guide, Understand update behaviors of stack resources",
    calls=("cloudformation.UpdateStack",),
    hooks=("moto.cloudformation.parsing:parse_and_update_resource",),
)
def _keeps_its_name(aws: Account) -> None:
    stack = _fresh(aws)
    _create(aws, stack, _exporting(stack, 1))
    before = _outputs(aws, stack)["Group"]
    _update(aws, stack, _exporting(stack, 3))
    assert _outputs(aws, stack)["Group"] == before
    found = aws.client("logs").describe_log_groups(logGroupNamePrefix=before)["logGroups"]
    assert [group["retentionInDays"] for group in found] == [3]


@behaviour(
    "What an update exports can be imported from then on.",
    source="CloudFormation user guide, Get exported outputs from a deployed CloudFormation stack",
    calls=("cloudformation.UpdateStack",),
    hooks=(f"{STACK}update",),
)
def _exported_later(aws: Account) -> None:
    first, second = _fresh(aws), _fresh(aws)
    _create(aws, first, _kept())
    _update(aws, first, _exporting(first))
    _create(aws, second, _importing(first))
    assert _outputs(aws, second)["Imported"] == _outputs(aws, first)["Group"]


@behaviour(
    "A stack that can't be made is rolled back, and says why.",
    source="CloudFormation user guide, Stack failure options; ROLLBACK_COMPLETE",
    calls=("cloudformation.CreateStack", "cloudformation.DescribeStackEvents"),
    hooks=(f"{STACK}create_resources",),
)
def _rolled_back(aws: Account) -> None:
    stack = _fresh(aws)
    template = _kept()
    template["Resources"]["Nobody"] = {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": {"Fn::ImportValue": f"nobody-exports-{stack}"}},
    }
    _create(aws, stack, template, "ROLLBACK_COMPLETE")
    events = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    assert any("No export named" in event.get("ResourceStatusReason", "") for event in events)


@behaviour(
    "A protected stack can't be deleted until the protection is taken away.",
    source=f"{STACKS}UpdateTerminationProtection",
    calls=("cloudformation.UpdateTerminationProtection", "cloudformation.DeleteStack"),
    hooks=(f"{BACKEND}delete_stack", f"{RESPONSE}update_termination_protection"),
)
def _protected(aws: Account) -> None:
    stack, cloudformation = _fresh(aws), aws.client("cloudformation")
    _create(aws, stack, _kept())
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    refused = aws.refused("cloudformation", "delete_stack", StackName=stack)
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    assert refused == "ValidationError"


@behaviour(
    "Whoever assumes a role calls as that role.",
    source="STS API reference, AssumeRole and GetCallerIdentity",
    calls=("sts.AssumeRole", "sts.GetCallerIdentity"),
    hooks=(f"{STS}assume_role", "moto.sts.responses:TokenResponse.get_caller_identity"),
    sandbox_only="a fresh role takes a while until it can be assumed, and whom it trusts depends on the account",
)
def _as_the_role(aws: Account) -> None:
    iam, region = aws.client("iam"), aws.region
    role = iam.create_role(RoleName="contract", AssumeRolePolicyDocument=json.dumps(_trust(region.account)))["Role"]
    assumed = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="row")
    caller = assumed["Credentials"]["AccessKeyId"].rpartition(".")[2]
    assert caller == "contract"
    assert assumed["AssumedRoleUser"]["Arn"].endswith("assumed-role/contract/row")
    assert aws.client("sts", caller=caller).get_caller_identity()["Arn"] == assumed["AssumedRoleUser"]["Arn"]


def _trust(account: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@behaviour(
    "A role that does not exist can't be assumed.",
    source="STS API reference, AssumeRole: AccessDenied",
    calls=("sts.AssumeRole",),
    hooks=(f"{STS}assume_role", "moto.core.errors:COMMON_ERROR_CODES"),
)
def _no_such_role(aws: Account) -> None:
    account = aws.client("sts").get_caller_identity()["Account"]
    asked = {"RoleArn": f"arn:aws:iam::{account}:role/aerokeep-contract-nobody", "RoleSessionName": "row"}
    assert aws.refused("sts", "assume_role", **asked) == "AccessDenied"
