"""From an AWS call to what IAM is asked for it; a call that has no rule here is a fault of the proof."""

from collections.abc import Iterator, Mapping

from sandbox.region import ApiCall
from tests.permissions.requests import Ask, Params, Request, Rule, asked, of_resource
from tests.permissions.rules_ec2 import EC2
from tests.permissions.rules_launch import run_instances
from tests.permissions.world import TABLE_USE, World

SECURE = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
STATES = "states"
NOBODYS = ("operator", "events", "")
"""Callers that have no role of ours: whoever tries things out, EventBridge (its targets: services.py), nobody."""


class UnknownCallError(Exception):
    """There is no rule for a call."""


def requests_of(world: World, call: ApiCall) -> Iterator[Request]:
    """Everything that IAM is asked for a call, each with the role that asks.

    Raises:
        UnknownCallError: nobody has written down what IAM is asked.

    """
    if call.caller in NOBODYS:
        return
    rule = RULES.get(f"{call.service}.{call.action}")
    if rule is None:
        raise UnknownCallError(f"{call.service}.{call.action} by {call.caller}")
    role = call.caller
    if role == STATES:
        role = world.machine_roles[str(call.params["FunctionName"])]
    yield from (Request(role, ask) for ask in rule(world, call.params))


def _unscoped(action: str) -> Rule:
    def rule(_world: World, _params: Params) -> Iterator[Ask]:
        yield asked(action)

    return rule


# -- S3


def _object(action: str, params: Params) -> Ask:
    bucket = f"arn:aws:s3:::{params['Bucket']}"
    return asked(action, f"{bucket}/{params['Key']}", SECURE, policy_of=bucket)


def _bucket(action: str) -> Rule:
    def rule(_world: World, params: Params) -> Iterator[Ask]:
        arn = f"arn:aws:s3:::{params['Bucket']}"
        yield asked(action, arn, {**SECURE, "s3:prefix": params.get("Prefix", "")}, policy_of=arn)

    return rule


def _get_object(world: World, params: Params) -> Iterator[Ask]:
    """An object that is absent is told from one that is forbidden only if the bucket may be listed."""
    yield _object("s3:GetObject", params)
    if world.holds(params["Bucket"], params["Key"]):
        yield from world.key_use("s3", world.vault_key, ["Decrypt"])
    else:
        yield from _bucket("s3:ListBucket")(world, {"Bucket": params["Bucket"], "Prefix": params["Key"]})


def _put_object(world: World, params: Params) -> Iterator[Ask]:
    yield _object("s3:PutObject", params)
    yield from world.key_use("s3", world.vault_key, ["GenerateDataKey"])


def _delete_objects(_world: World, params: Params) -> Iterator[Ask]:
    for entry in params["Delete"]["Objects"]:
        action = "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject"
        yield _object(action, {"Bucket": params["Bucket"], "Key": entry["Key"]})


def _abort_upload(_world: World, params: Params) -> Iterator[Ask]:
    yield _object("s3:AbortMultipartUpload", params)


# -- the others


def _table(action: str) -> Rule:
    def rule(world: World, params: Params) -> Iterator[Ask]:
        yield asked(f"dynamodb:{action}", world.arn("dynamodb", f"table/{params['TableName']}"))
        yield from world.key_use("dynamodb", world.catalog_key, TABLE_USE)

    return rule


def _send_command(world: World, params: Params) -> Iterator[Ask]:
    yield asked("ssm:SendCommand", world.arn("ssm", f"document/{params['DocumentName']}"))
    for instance_id in params["InstanceIds"]:
        yield asked("ssm:SendCommand", world.ec2("instance", instance_id), of_resource(world.tags(instance_id)))


def _parameter(action: str, name: str) -> Rule:
    def rule(world: World, params: Params) -> Iterator[Ask]:
        yield asked(f"ssm:{action}", world.arn("ssm", f"parameter{params[name]}"))

    return rule


def _put_alarm(world: World, params: Params) -> Iterator[Ask]:
    arn = world.arn("cloudwatch", f"alarm:{params['AlarmName']}")
    yield asked("cloudwatch:PutMetricAlarm", arn)
    if params.get("Tags"):
        yield asked("cloudwatch:TagResource", arn)


def _delete_alarms(world: World, params: Params) -> Iterator[Ask]:
    for name in params["AlarmNames"]:
        yield asked("cloudwatch:DeleteAlarms", world.arn("cloudwatch", f"alarm:{name}"))


def _put_metrics(_world: World, params: Params) -> Iterator[Ask]:
    yield asked("cloudwatch:PutMetricData", context={"cloudwatch:namespace": params["Namespace"]})


def _publish(world: World, params: Params) -> Iterator[Ask]:
    topic = params["TopicArn"]
    yield asked("sns:Publish", topic, SECURE, policy_of=topic)
    yield from world.key_use("sns", world.topic_key(topic), ["Decrypt", "GenerateDataKey"])


def _describe_execution(_world: World, params: Params) -> Iterator[Ask]:
    yield asked("states:DescribeExecution", params["executionArn"])


def _invoke(_world: World, params: Params) -> Iterator[Ask]:
    yield asked("lambda:InvokeFunction", str(params["FunctionName"]))


RULES: Mapping[str, Rule] = {
    **{f"ec2.{action}": rule for action, rule in EC2.items()},
    "ec2.RunInstances": run_instances,
    "s3.GetObject": _get_object,
    "s3.HeadObject": _get_object,
    "s3.PutObject": _put_object,
    "s3.DeleteObjects": _delete_objects,
    "s3.AbortMultipartUpload": _abort_upload,
    "s3.ListObjectsV2": _bucket("s3:ListBucket"),
    "s3.ListObjectVersions": _bucket("s3:ListBucketVersions"),
    "s3.ListMultipartUploads": _bucket("s3:ListBucketMultipartUploads"),
    **{f"dynamodb.{action}": _table(action) for action in ("GetItem", "PutItem", "Query", "UpdateItem")},
    "ssm.SendCommand": _send_command,
    "ssm.GetCommandInvocation": _unscoped("ssm:GetCommandInvocation"),
    "ssm.ListCommandInvocations": _unscoped("ssm:ListCommandInvocations"),
    "ssm.DescribeInstanceInformation": _unscoped("ssm:DescribeInstanceInformation"),
    "ssm.GetParameter": _parameter("GetParameter", "Name"),
    "ssm.GetParametersByPath": _parameter("GetParametersByPath", "Path"),
    "monitoring.PutMetricAlarm": _put_alarm,
    "monitoring.DeleteAlarms": _delete_alarms,
    "monitoring.DescribeAlarms": _unscoped("cloudwatch:DescribeAlarms"),
    "monitoring.PutMetricData": _put_metrics,
    "sns.Publish": _publish,
    "states.DescribeExecution": _describe_execution,
    "lambda.Invoke": _invoke,
}
