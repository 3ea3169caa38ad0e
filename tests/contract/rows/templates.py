"""CloudFormation: what templates say is there."""

import json
from typing import Any

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, ended, output, role

MODELS = "moto.awslambda.models:"
ARM = "arm64"
GUIDE = "CloudFormation template reference"


def _resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _layer(aws: Account) -> dict[str, Any]:
    s3, name = aws.client("s3"), a_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    aws.later(lambda: s3.delete_bucket(Bucket=name))
    empty_zip = b"PK\x05\x06" + bytes(18)
    s3.put_object(Bucket=name, Key="layer.zip", Body=empty_zip)
    aws.later(lambda: s3.delete_object(Bucket=name, Key="layer.zip"))
    content = {"S3Bucket": name, "S3Key": "layer.zip"}
    return _resource("Lambda::LayerVersion", Content=content, CompatibleArchitectures=[ARM])


@behaviour(
    "A Ref to a layer's version is its ARN, and the version has the architectures of the template.",
    source=f"{GUIDE}, AWS::Lambda::LayerVersion",
    hooks=(f"{MODELS}LayerVersion.physical_resource_id", f"{MODELS}LayerVersion.create_from_cloudformation_json"),
)
def _layers(aws: Account) -> None:
    arn = output(aws, {"L": _layer(aws)}, {"Ref": "L"})
    assert arn.startswith("arn:aws:lambda:")
    _, layer, version = arn.rsplit(":", 2)
    told = aws.client("lambda").get_layer_version(LayerName=layer, VersionNumber=int(version))
    assert told["CompatibleArchitectures"] == [ARM]


@behaviour(
    "A function of a template has its architecture, layers, tracing, log group and tags.",
    source=f"{GUIDE}, AWS::Lambda::Function",
    hooks=(f"{MODELS}LambdaFunction.create_from_cloudformation_json",),
)
def _functions(aws: Account) -> None:
    group = a_name()
    made = _resource(
        "Lambda::Function",
        Code={"ZipFile": "def handler(event, context): pass"},
        Handler="index.handler",
        Runtime="python3.14",
        Role=role(aws),
        Architectures=[ARM],
        Layers=[{"Ref": "L"}],
        TracingConfig={"Mode": "Active"},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": group},
        Tags=[{"Key": "row", "Value": "yes"}],
    )
    name = output(aws, {"L": _layer(aws), "F": made}, {"Ref": "F"})
    told = aws.client("lambda").get_function_configuration(FunctionName=name)
    assert (told["Architectures"], told["TracingConfig"]["Mode"]) == ([ARM], "Active")
    assert told["LoggingConfig"]["LogGroup"] == group
    assert len(told["Layers"]) == 1
    tags = aws.client("lambda").list_tags(Resource=told["FunctionArn"])["Tags"]
    assert tags["row"] == "yes"


@behaviour(
    "A Ref to a schedule group is its name.",
    source=f"{GUIDE}, AWS::Scheduler::ScheduleGroup",
    hooks=("moto.cloudformation.parsing:resource_class_from_type",),
)
def _groups(aws: Account) -> None:
    name = a_name()
    assert output(aws, {"G": _resource("Scheduler::ScheduleGroup", Name=name)}, {"Ref": "G"}) == name


@behaviour(
    "A command document of a template needs no format, and its content is JSON.",
    source=f"{GUIDE}, AWS::SSM::Document",
    hooks=("moto.ssm.models:Document.create_from_cloudformation_json",),
)
def _documents(aws: Account) -> None:
    step = {"action": "aws:runShellScript", "name": "go", "inputs": {"runCommand": ["true"]}}
    content = {"schemaVersion": "2.2", "description": "a row", "mainSteps": [step]}
    made = _resource("SSM::Document", Name=a_name(), Content=content, DocumentType="Command")
    name = output(aws, {"D": made}, {"Ref": "D"})
    assert json.loads(aws.client("ssm").get_document(Name=name)["Content"]) == content


@behaviour(
    "A table of a template is encrypted as it says.",
    source=f"{GUIDE}, AWS::DynamoDB::Table SSESpecification",
    hooks=("moto.dynamodb.models.table:Table.create_from_cloudformation_json",),
)
def _tables(aws: Account) -> None:
    made = _resource(
        "DynamoDB::Table",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"SSEEnabled": True, "SSEType": "KMS"},
    )
    name = output(aws, {"T": made}, {"Ref": "T"})
    told = aws.client("dynamodb").describe_table(TableName=name)["Table"]["SSEDescription"]
    assert (told["Status"], told["SSEType"]) == ("ENABLED", "KMS")


@behaviour(
    "A machine of a template runs, with its substitutions, tracing and logging.",
    source=f"{GUIDE}, AWS::StepFunctions::StateMachine",
    hooks=("moto.stepfunctions.models:StateMachine.create_from_cloudformation_json",),
)
def _machines(aws: Account) -> None:
    definition = '{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": "${word}", "End": true}}}'
    made = _resource(
        "StepFunctions::StateMachine",
        StateMachineName=a_name(),
        DefinitionString=definition,
        DefinitionSubstitutions={"word": "hello"},
        RoleArn=role(aws),
        TracingConfiguration={"Enabled": True},
    )
    arn, states = output(aws, {"M": made}, {"Ref": "M"}), aws.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert json.loads(ended(aws, execution)["output"]) == "hello"
    assert states.describe_state_machine(stateMachineArn=arn)["tracingConfiguration"] == {"enabled": True}


@behaviour(
    "AWS's own managed policies can be attached to roles.",
    source="IAM user guide, AWS managed policies",
    hooks_unseen=(
        (
            "moto.iam.models:IAMBackend._init_aws_policies",
            "it makes no difference but to time: moto reads the same policies anew for each region",
        ),
    ),
)
def _policies(aws: Account) -> None:
    iam, name = aws.client("iam"), role(aws).rpartition("/")[2]
    policy = "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    aws.later(lambda: iam.detach_role_policy(RoleName=name, PolicyArn=policy))
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [entry["PolicyArn"] for entry in attached] == [policy]
