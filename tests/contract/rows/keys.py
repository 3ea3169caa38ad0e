"""KMS keys."""

import json

from tests.contract.account import Account
from tests.contract.behaviour import behaviour

GUIDE = "KMS developer guide, key policies"


def _policy(aws: Account) -> str:
    """All that KMS can do for the account's own, and nothing for those who come without TLS."""
    account = aws.client("sts").get_caller_identity()["Account"]
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    allow = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": insecure}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})


@behaviour(
    "A key whose policy turns away calls without TLS is there for the others.",
    source=GUIDE,
    calls=("kms.CreateKey", "kms.DescribeKey"),
    hooks=("moto.kms.responses:validate_policy",),
)
def _policy_with_condition(aws: Account) -> None:
    kms = aws.client("kms")
    key_id = kms.create_key(Policy=_policy(aws))["KeyMetadata"]["KeyId"]
    if aws.is_real:
        aws.later(lambda: kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7))
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"


@behaviour(
    "A stack's key tells the policy that its template has.",
    source="CloudFormation reference, AWS::KMS::Key",
    calls=("kms.GetKeyPolicy", "kms.DescribeKey"),
    hooks=("moto.kms.models:Key.create_from_cloudformation_json",),
)
def _key_of_a_stack(aws: Account) -> None:
    policy = json.loads(_policy(aws))
    template = {
        "Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}}},
        "Outputs": {"Key": {"Value": {"Ref": "Key"}}},
    }
    stacks, name = aws.client("cloudformation"), "aerokeep-contract-key"
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))
    aws.later(lambda: stacks.delete_stack(StackName=name))

    def stack() -> dict[str, object]:
        return dict(stacks.describe_stacks(StackName=name)["Stacks"][0])

    assert aws.eventually(lambda: stack()["StackStatus"] == "CREATE_COMPLETE")
    key_id = stack()["Outputs"][0]["OutputValue"]  # type: ignore[index]  # boto3's own types
    told = aws.client("kms").get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]
    assert json.loads(told) == policy


@behaviour(
    "A key that does not exist is unknown, and one that is disabled says so.",
    source="KMS API reference, DescribeKey",
    calls=("kms.DescribeKey", "kms.DisableKey", "kms.EnableKey"),
)
def _states(aws: Account) -> None:
    kms = aws.client("kms")
    unknown = "0a1b2c3d-1234-4321-abcd-0a1b2c3d4e5f"
    assert aws.refused("kms", "describe_key", KeyId=unknown) == "NotFoundException"
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    if aws.is_real:
        aws.later(lambda: kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7))
    kms.disable_key(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
