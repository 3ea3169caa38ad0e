"""What rows of the contract make for themselves, and put away: documents, machines, functions, buckets and so on."""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from typing import Any

from tests.contract.account import Account

SERVICES = ("lambda", "states", "scheduler", "events")
ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
WITHOUT_AGENT = "the node of a real account has no role by which its agent could register"
WITHOUT_RULES = "it would take a role that may do everything in a real account"
Json = Mapping[str, Any]


def a_name() -> str:
    """One that nobody has had."""
    return f"aerokeep-contract-{uuid.uuid4().hex[:12]}"


def role(aws: Account) -> str:
    """A role that services may take; → its ARN."""
    iam, name = aws.client("iam"), a_name()
    principal = {"Service": [f"{service}.amazonaws.com" for service in SERVICES]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])
    aws.later(lambda: iam.delete_role(RoleName=name))
    return arn


def function(aws: Account, *lines: str, timeout_s: int = 5) -> str:
    """A Python function ``handler(event, context)`` of these lines; → its ARN."""
    buffer, name = io.BytesIO(), a_name()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("code.py", "def handler(event, context):\n" + "".join(f"    {line}\n" for line in lines))
    made = aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role=role(aws),
        Handler="code.handler",
        Code={"ZipFile": buffer.getvalue()},
        Timeout=timeout_s,
    )
    aws.later(lambda: aws.client("lambda").delete_function(FunctionName=name))
    return str(made["FunctionArn"])


def machine(aws: Account, states: Json, **fields: object) -> str:
    """A machine of JSONata states that begins with the first of them; → its ARN."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
    client = aws.client("stepfunctions")
    made = client.create_state_machine(name=a_name(), definition=json.dumps(definition), roleArn=role(aws))
    aws.later(lambda: client.delete_state_machine(stateMachineArn=made["stateMachineArn"]))
    return str(made["stateMachineArn"])


def started(aws: Account, states: Json, given: object = None, **fields: object) -> str:
    """An execution of such a machine; → its ARN."""
    client = aws.client("stepfunctions")
    text = json.dumps({} if given is None else given)
    return str(client.start_execution(stateMachineArn=machine(aws, states, **fields), input=text)["executionArn"])


def described(aws: Account, execution: str) -> dict[str, Any]:
    """What DescribeExecution says now."""
    found: dict[str, Any] = aws.client("stepfunctions").describe_execution(executionArn=execution)
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def ended(aws: Account, execution: str) -> dict[str, Any]:
    """What DescribeExecution says at its end."""
    assert aws.eventually(lambda: described(aws, execution)["status"] in ENDED)
    return described(aws, execution)


def ran(aws: Account, states: Json, given: object = None, **fields: object) -> dict[str, Any]:
    """What has become of an execution of a machine with these states."""
    return ended(aws, started(aws, states, given, **fields))


def value(aws: Account, expression: str, given: object = None) -> object:
    """What a JSONata expression gives."""
    state = {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}
    return json.loads(ran(aws, {"A": state}, given)["output"])


def document(aws: Account, *lines: str, timeout_s: str = "60", platform: str = "Linux") -> str:
    """A command document of one shell step; → its name."""
    step = {
        "action": "aws:runShellScript",
        "name": "go",
        "precondition": {"StringEquals": ["platformType", platform]},
        "inputs": {"timeoutSeconds": timeout_s, "runCommand": list(lines)},
    }
    content = {"schemaVersion": "2.2", "description": "a row", "mainSteps": [step]}
    ssm, name = aws.client("ssm"), a_name()
    ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Command")
    aws.later(lambda: ssm.delete_document(Name=name))
    return name


def sent(aws: Account, *lines: str, timeout_s: str = "60", **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """A command of these lines, to the row's node if to nobody else; → its id."""
    aim = {} if "Targets" in request else {"InstanceIds": [aws.node().instance_id]}
    name = document(aws, *lines, timeout_s=timeout_s)
    answer = aws.client("ssm").send_command(**{"DocumentName": name, **aim, **request})
    return str(answer["Command"]["CommandId"])


def invocation(aws: Account, command: str, instance_id: str = "") -> dict[str, Any]:
    """What GetCommandInvocation says now."""
    wanted = instance_id or aws.node().instance_id
    found: dict[str, Any] = aws.client("ssm").get_command_invocation(CommandId=command, InstanceId=wanted)
    return found


def command(aws: Account, command_id: str) -> dict[str, Any]:
    """What ListCommands says of one now."""
    found: dict[str, Any] = aws.client("ssm").list_commands(CommandId=command_id)["Commands"][0]
    return found


def becomes(aws: Account, command_id: str, status: str, detail: str = "") -> bool:
    """The node's part of a command comes into a state."""
    wanted = (status, detail or status)

    def there() -> bool:
        found = invocation(aws, command_id)
        return (found["Status"], found["StatusDetails"]) == wanted

    return aws.eventually(there)


def bucket(aws: Account, *, versioned: bool = False) -> str:
    """A bucket; → its name."""
    s3, name = aws.client("s3"), a_name()
    place = s3.meta.region_name
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
    aws.later(lambda: _empty(s3, name))
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def _empty(s3: Any, name: str) -> None:  # noqa: ANN401  # boto clients are made at run time
    s3.delete_bucket_policy(Bucket=name)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
    s3.delete_bucket(Bucket=name)


def table(aws: Account) -> str:
    """A table with a key of two parts; → its name."""
    dynamodb, name = aws.client("dynamodb"), a_name()
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    aws.later(lambda: dynamodb.delete_table(TableName=name))
    return name


def queue(aws: Account) -> tuple[str, str]:
    """A queue that everybody may send to; → URL and ARN."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=a_name())["QueueUrl"]
    aws.later(lambda: sqs.delete_queue(QueueUrl=url))
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return str(url), str(arn)


def received(aws: Account, url: str, *, most: int = 10) -> list[dict[str, Any]]:
    """Messages that a queue holds now, at most so many; they are taken out of it."""
    sqs = aws.client("sqs")
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most, MessageAttributeNames=["All"])
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def next_message(aws: Account, url: str) -> dict[str, Any]:
    """The next message of a queue, once it comes."""
    held: list[dict[str, Any]] = []

    def came() -> bool:
        held.extend(received(aws, url, most=1))
        return bool(held)

    assert aws.eventually(came)
    return held[0]


def heard(aws: Account, pattern: Json, **target: Any) -> str:  # noqa: ANN401  # a target's own fields
    """A rule that carries events to a queue; → the queue's URL."""
    url, arn = queue(aws)
    events, name = aws.client("events"), a_name()
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": arn, **target}])
    aws.later(lambda: events.delete_rule(Name=name))
    aws.later(lambda: events.remove_targets(Rule=name, Ids=["t"]))
    return url


def stack(aws: Account, template: Json) -> str:
    """A stack of this template; → its name."""
    cloudformation, name = aws.client("cloudformation"), a_name()
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    aws.later(lambda: cloudformation.delete_stack(StackName=name))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    return name


def output(aws: Account, resources: Json, told: object) -> str:
    """What a stack of these resources tells as its output."""
    name = stack(aws, {"Resources": resources, "Outputs": {"Told": {"Value": told}}})
    found = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return str(found[0]["OutputValue"])
