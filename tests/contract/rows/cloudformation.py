"""CloudFormation: stacks that are made, updated, rolled back and protected."""

import json

from tests.contract import stacks
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, role

STACK = "moto.cloudformation.models:Stack."
BACKEND = "moto.cloudformation.models:CloudFormationBackend."
RESPONSE = "moto.cloudformation.responses:CloudFormationResponse."
STACKS = "CloudFormation API reference, "
REFERENCE = "CloudFormation template reference"


@behaviour(
    "An update that changes nothing is refused.",
    source="CloudFormation user guide, Troubleshooting: No updates to perform",
    calls=("cloudformation.UpdateStack",),
    hooks=(f"{BACKEND}update_stack",),
)
def _nothing_to_update(aws: Account) -> None:
    stack = stacks.fresh(aws)
    stacks.create(aws, stack, stacks.kept())
    asked = {"StackName": stack, "TemplateBody": json.dumps(stacks.kept())}
    assert aws.refused("cloudformation", "update_stack", **asked) == "ValidationError"


@behaviour(
    "A resource that is updated keeps the name that CloudFormation gave it.",
    source="CloudFormation user guide, Understand update behaviors of stack resources",
    calls=("cloudformation.UpdateStack",),
    hooks=("moto.cloudformation.parsing:parse_and_update_resource",),
)
def _keeps_its_name(aws: Account) -> None:
    stack = stacks.fresh(aws)
    stacks.create(aws, stack, stacks.exporting(stack, 1))
    before = stacks.outputs(aws, stack)["Group"]
    stacks.update(aws, stack, stacks.exporting(stack, 3))
    assert stacks.outputs(aws, stack)["Group"] == before
    found = aws.client("logs").describe_log_groups(logGroupNamePrefix=before)["logGroups"]
    assert [group["retentionInDays"] for group in found] == [3]


@behaviour(
    "A function that is updated is what its template says now.",
    source=f"{REFERENCE}, AWS::Lambda::Function",
    calls=("cloudformation.UpdateStack",),
    hooks=("moto.awslambda.models:LambdaFunction.update_from_cloudformation_json",),
)
def _updated_function(aws: Account) -> None:
    stack, name, arn = stacks.fresh(aws), a_name(), role(aws)
    shape = {"FunctionName": name, "Handler": "index.handler", "Runtime": "python3.14", "Role": arn}
    code = {"Code": {"ZipFile": "def handler(event, context): pass"}}
    for act, mode in ((stacks.create, "PassThrough"), (stacks.update, "Active")):
        properties = {**shape, **code, "TracingConfig": {"Mode": mode}}
        act(aws, stack, {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}}})
    told = aws.client("lambda").get_function_configuration(FunctionName=name)
    assert told["TracingConfig"] == {"Mode": "Active"}


@behaviour(
    "A machine that is updated is what its template says now.",
    source=f"{REFERENCE}, AWS::StepFunctions::StateMachine",
    calls=("cloudformation.UpdateStack",),
    hooks=("moto.stepfunctions.models:StateMachine.update_from_cloudformation_json",),
)
def _updated_machine(aws: Account) -> None:
    stack, arn = stacks.fresh(aws), role(aws)
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Word}", "End": True}}})
    for act, word in ((stacks.create, "first"), (stacks.update, "second")):
        properties = {"RoleArn": arn, "DefinitionString": text, "DefinitionSubstitutions": {"Word": word}}
        machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
        act(aws, stack, {"Resources": {"M": machine}, "Outputs": {"M": {"Value": {"Ref": "M"}}}})
    told = aws.client("stepfunctions").describe_state_machine(stateMachineArn=stacks.outputs(aws, stack)["M"])
    assert "second" in told["definition"]


@behaviour(
    "What an update exports can be imported from then on.",
    source="CloudFormation user guide, Get exported outputs from a deployed CloudFormation stack",
    calls=("cloudformation.UpdateStack",),
    hooks=(f"{STACK}update",),
)
def _exported_later(aws: Account) -> None:
    first, second = stacks.fresh(aws), stacks.fresh(aws)
    stacks.create(aws, first, stacks.kept())
    stacks.update(aws, first, stacks.exporting(first))
    stacks.create(aws, second, stacks.importing(first))
    assert stacks.outputs(aws, second)["Imported"] == stacks.outputs(aws, first)["Group"]


@behaviour(
    "A stack that can't be made is rolled back, and says why.",
    source="CloudFormation user guide, Stack failure options; ROLLBACK_COMPLETE",
    calls=("cloudformation.CreateStack", "cloudformation.DescribeStackEvents"),
    hooks=(f"{STACK}create_resources",),
)
def _rolled_back(aws: Account) -> None:
    stack = stacks.fresh(aws)
    template = stacks.kept()
    template["Resources"]["Nobody"] = {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": {"Fn::ImportValue": f"nobody-exports-{stack}"}},
    }
    stacks.create(aws, stack, template, "ROLLBACK_COMPLETE")
    events = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    assert any("No export named" in event.get("ResourceStatusReason", "") for event in events)


@behaviour(
    "A protected stack can't be deleted until the protection is taken away.",
    source=f"{STACKS}UpdateTerminationProtection",
    calls=("cloudformation.UpdateTerminationProtection", "cloudformation.DeleteStack"),
    hooks=(f"{BACKEND}delete_stack", f"{RESPONSE}update_termination_protection"),
)
def _protected(aws: Account) -> None:
    stack, cloudformation = stacks.fresh(aws), aws.client("cloudformation")
    stacks.create(aws, stack, stacks.kept())
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    refused = aws.refused("cloudformation", "delete_stack", StackName=stack)
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    assert refused == "ValidationError"
