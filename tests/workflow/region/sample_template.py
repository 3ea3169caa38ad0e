"""Two templates with a resource of every kind that ours use, or will soon, and every property that moto drops."""

from typing import Any

ASSETS = {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
PARAMETERS = {
    "BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/hnb659fds/version"}
}

RULES = [
    {"Id": "runs", "Prefix": "runs/", "Status": "Enabled", "ExpirationInDays": 30},
    {
        "Id": "old",
        "Status": "Enabled",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
]


def _attribute(name: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [name, attribute]}


def _resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _document(action: str, resource: object) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
    insecure = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    return {"Version": "2012-10-17", "Statement": [{**statement, **insecure}]}


def _bucket(**properties: object) -> dict[str, Any]:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": _attribute("Key")}
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return _resource(
        "S3::Bucket",
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        },
        PublicAccessBlockConfiguration=dict.fromkeys(blocked, True),
        **properties,
    )


def storage() -> dict[str, Any]:
    """What must survive."""
    logs_arn = {"Fn::Join": ["", [_attribute("Logs"), "/*"]]}
    return {
        "Parameters": PARAMETERS,
        "Resources": {
            "Key": _resource(
                "KMS::Key", Description="all of it", EnableKeyRotation=True, KeyPolicy=_document("kms:*", "*")
            ),
            "Alias": _resource("KMS::Alias", AliasName="alias/sample", TargetKeyId=_attribute("Key")),
            "Logs": _bucket(OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}),
            "LogsPolicy": _resource("S3::BucketPolicy", Bucket={"Ref": "Logs"}, PolicyDocument=_logging(logs_arn)),
            "Vault": _bucket(
                VersioningConfiguration={"Status": "Enabled"},
                LifecycleConfiguration={"Rules": RULES},
                LoggingConfiguration={"DestinationBucketName": {"Ref": "Logs"}, "LogFilePrefix": "vault/"},
                Tags=[{"Key": "for", "Value": "points"}],
            ),
            "Catalog": _resource(
                "DynamoDB::Table",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                SSESpecification={"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": _attribute("Key")},
                TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
            ),
        },
        "Outputs": {
            "VaultName": {"Value": {"Ref": "Vault"}, "Export": {"Name": "Storage:Vault"}},
            "KeyArn": {"Value": _attribute("Key"), "Export": {"Name": "Storage:Key"}},
        },
    }


def _logging(resource: object) -> dict[str, Any]:
    principal = {"Service": "logging.s3.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def workflow() -> dict[str, Any]:
    """What runs."""
    return {
        "Parameters": PARAMETERS,
        "Resources": {**_functions(), **_machine(), **_documents(), **_messages(), **_schedules()},
        "Outputs": {"Machine": {"Value": {"Ref": "Machine"}}, "Topic": {"Value": {"Ref": "Topic"}}},
    }


def _functions() -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    return {
        "Layer": _resource(
            "Lambda::LayerVersion",
            Content={"S3Bucket": ASSETS, "S3Key": "layer.zip"},
            CompatibleArchitectures=["arm64"],
            CompatibleRuntimes=["python3.14"],
            Description="third parties",
        ),
        "Role": _resource(
            "IAM::Role",
            AssumeRolePolicyDocument=TRUST,
            Description="a step's",
            ManagedPolicyArns=["arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"],
            Policies=[{"PolicyName": "inside", "PolicyDocument": policy}],
        ),
        "RolePolicy": _resource("IAM::Policy", PolicyName="beside", PolicyDocument=policy, Roles=[{"Ref": "Role"}]),
        "StepLogs": _resource("Logs::LogGroup", RetentionInDays=90),
        "Step": _resource(
            "Lambda::Function",
            Code={"S3Bucket": ASSETS, "S3Key": "functions.zip"},
            Handler="code.handler",
            Runtime="python3.14",
            Role=_attribute("Role"),
            Architectures=["arm64"],
            Layers=[{"Ref": "Layer"}],
            MemorySize=512,
            Timeout=20,
            TracingConfig={"Mode": "Active"},
            LoggingConfig={"LogFormat": "JSON", "LogGroup": {"Ref": "StepLogs"}},
            Environment={"Variables": {"VAULT": {"Fn::ImportValue": "Storage:Vault"}}},
        ),
    }


def _machine() -> dict[str, Any]:
    definition = (
        '{"QueryLanguage": "JSONata", "StartAt": "Step", "States": {"Step": {"Type": "Task", "End": true,'
        ' "Resource": "arn:aws:states:::lambda:invoke", "Output": "{% $states.result.Payload %}",'
        ' "Arguments": {"FunctionName": "${Step}", "Payload": "{% $states.input %}"}}}}'
    )
    destination = {"CloudWatchLogsLogGroup": {"LogGroupArn": _attribute("StepLogs")}}
    return {
        "Machine": _resource(
            "StepFunctions::StateMachine",
            StateMachineName="sample",
            StateMachineType="STANDARD",
            DefinitionString=definition,
            DefinitionSubstitutions={"Step": _attribute("Step")},
            RoleArn=_attribute("Role"),
            TracingConfiguration={"Enabled": True},
            LoggingConfiguration={"Level": "ERROR", "IncludeExecutionData": True, "Destinations": [destination]},
        ),
    }


def _documents() -> dict[str, Any]:
    step = {"action": "aws:runShellScript", "name": "go", "inputs": {"runCommand": ["echo hello"]}}
    content = {"schemaVersion": "2.2", "description": "says hello", "mainSteps": [step]}
    return {
        "Document": _resource(
            "SSM::Document",
            Name="sample-hello",
            Content=content,
            DocumentType="Command",
            DocumentFormat="JSON",
            TargetType="/AWS::EC2::Instance",
            UpdateMethod="NewVersion",
        ),
        "Parameter": _resource("SSM::Parameter", Name="/sample/demo", Type="String", Value="{}", Description="a word"),
    }


def _messages() -> dict[str, Any]:
    pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED"], "stateMachineArn": [{"Ref": "Machine"}]}}
    return {
        "Queue": _resource("SQS::Queue", MessageRetentionPeriod=1209600, SqsManagedSseEnabled=True),
        "QueuePolicy": _resource(
            "SQS::QueuePolicy", Queues=[{"Ref": "Queue"}], PolicyDocument=_document("sqs:*", _attribute("Queue"))
        ),
        "Topic": _resource("SNS::Topic", DisplayName="failures", KmsMasterKeyId={"Fn::ImportValue": "Storage:Key"}),
        "TopicPolicy": _resource(
            "SNS::TopicPolicy", Topics=[{"Ref": "Topic"}], PolicyDocument=_document("sns:Publish", {"Ref": "Topic"})
        ),
        "Subscription": _resource(
            "SNS::Subscription", TopicArn={"Ref": "Topic"}, Protocol="sqs", Endpoint=_attribute("Queue")
        ),
        "Rule": _resource(
            "Events::Rule",
            Description="failures",
            EventPattern=pattern,
            State="ENABLED",
            Targets=[{"Id": "topic", "Arn": {"Ref": "Topic"}}],
        ),
    }


def _schedules() -> dict[str, Any]:
    target = {
        "Arn": {"Ref": "Machine"},
        "RoleArn": _attribute("Role"),
        "Input": '{"cluster":"demo"}',
        "DeadLetterConfig": {"Arn": _attribute("Queue")},
        "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 10},
    }
    return {
        "Group": _resource("Scheduler::ScheduleGroup", Name="sample"),
        "Schedule": _resource(
            "Scheduler::Schedule",
            Name="nightly",
            GroupName={"Ref": "Group"},
            ScheduleExpression="cron(0 3 * * ? *)",
            ScheduleExpressionTimezone="Europe/Berlin",
            FlexibleTimeWindow={"Mode": "OFF"},
            State="ENABLED",
            Target=target,
        ),
        "Alarm": _resource(
            "CloudWatch::Alarm",
            AlarmDescription="no point for a day",
            Namespace="Aerokeep",
            MetricName="point_age_s",
            Dimensions=[{"Name": "cluster", "Value": "demo"}],
            Statistic="Maximum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=86400,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="breaching",
            AlarmActions=[{"Ref": "Topic"}],
        ),
    }
