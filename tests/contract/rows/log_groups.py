"""Log groups as templates see them."""

import json

from tests.contract.account import Account
from tests.contract.behaviour import behaviour

STACK, GROUP = "aerokeep-contract-logs", "aerokeep-contract"
TEMPLATE = {
    "Resources": {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}}},
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}},
}


@behaviour(
    "A template's log group has an ARN that ends in :*, which stands for its streams.",
    source="CloudFormation template reference, AWS::Logs::LogGroup, return values",
    calls=("cloudformation.CreateStack", "cloudformation.DescribeStacks"),
    hooks=("moto.logs.models:LogGroup.get_cfn_attribute",),
)
def _arn_with_streams(aws: Account) -> None:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE))
    aws.later(lambda: cloudformation.delete_stack(StackName=STACK))

    def outputs() -> list[dict[str, str]]:
        found: list[dict[str, str]] = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0].get("Outputs", [])
        return found

    assert aws.eventually(lambda: bool(outputs()))
    assert outputs()[0]["OutputValue"].endswith(f":log-group:{GROUP}:*")
