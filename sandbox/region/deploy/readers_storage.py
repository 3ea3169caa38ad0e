"""Read buckets, tables and keys back in the spelling of templates."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from sandbox.region.deploy.lifecycle import template_rule
from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Held = Mapping[str, Any]


def _asked(call: Callable[..., Mapping[str, Any]], **arguments: str) -> Mapping[str, Any]:
    """An answer, or nothing where the API says that there is no such configuration."""
    try:
        return call(**arguments)
    except ClientError:
        return {}


def bucket(client: Client, resource: Resource) -> Held:
    """A bucket's configurations, each by its own call."""
    s3, name = client("s3"), resource.physical_id
    s3.head_bucket(Bucket=name)
    encryption = _asked(s3.get_bucket_encryption, Bucket=name).get("ServerSideEncryptionConfiguration", {})
    logging = _asked(s3.get_bucket_logging, Bucket=name).get("LoggingEnabled", {})
    rules = _asked(s3.get_bucket_lifecycle_configuration, Bucket=name).get("Rules", [])
    block = _asked(s3.get_public_access_block, Bucket=name).get("PublicAccessBlockConfiguration", {})
    return {
        "BucketName": name,
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [_encryption(r) for r in encryption.get("Rules", [])]
        },
        "VersioningConfiguration": {"Status": _asked(s3.get_bucket_versioning, Bucket=name).get("Status")},
        "PublicAccessBlockConfiguration": block,
        "LifecycleConfiguration": {"Rules": [template_rule(rule) for rule in rules]},
        "LoggingConfiguration": {
            "DestinationBucketName": logging.get("TargetBucket"),
            "LogFilePrefix": logging.get("TargetPrefix"),
        },
        "OwnershipControls": _asked(s3.get_bucket_ownership_controls, Bucket=name).get("OwnershipControls", {}),
        "Tags": _asked(s3.get_bucket_tagging, Bucket=name).get("TagSet", []),
    }


def _encryption(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ServerSideEncryptionByDefault": rule["ApplyServerSideEncryptionByDefault"],
        "BucketKeyEnabled": rule.get("BucketKeyEnabled"),
    }


def bucket_policy(client: Client, resource: Resource) -> Held:
    """A bucket's policy."""
    name = resource.properties["Bucket"]
    return {"Bucket": name, "PolicyDocument": json.loads(client("s3").get_bucket_policy(Bucket=name)["Policy"])}


def table(client: Client, resource: Resource) -> Held:
    """A table."""
    dynamodb, name = client("dynamodb"), resource.physical_id
    held = dynamodb.describe_table(TableName=name)["Table"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    encryption = held.get("SSEDescription", {})
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return {
        "TableName": name,
        "AttributeDefinitions": held["AttributeDefinitions"],
        "KeySchema": held["KeySchema"],
        "BillingMode": held.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "DeletionProtectionEnabled": held.get("DeletionProtectionEnabled"),
        "GlobalSecondaryIndexes": held.get("GlobalSecondaryIndexes", []),
        "StreamSpecification": held.get("StreamSpecification"),
        "PointInTimeRecoverySpecification": {
            "PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "RecoveryPeriodInDays": recovery.get("RecoveryPeriodInDays"),
        },
        "SSESpecification": {
            "SSEEnabled": encryption.get("Status") == "ENABLED",
            "SSEType": encryption.get("SSEType"),
            "KMSMasterKeyId": encryption.get("KMSMasterKeyArn"),
        },
        "TimeToLiveSpecification": {
            "AttributeName": expiry.get("AttributeName"),
            "Enabled": expiry.get("TimeToLiveStatus") == "ENABLED",
        },
        "Tags": dynamodb.list_tags_of_resource(ResourceArn=held["TableArn"])["Tags"],
    }


def key(client: Client, resource: Resource) -> Held:
    """A KMS key."""
    kms, key_id = client("kms"), resource.physical_id
    held = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    tags = kms.list_resource_tags(KeyId=key_id).get("Tags", [])
    return {
        "Description": held["Description"],
        "Enabled": held["Enabled"],
        "KeySpec": held["KeySpec"],
        "KeyUsage": held["KeyUsage"],
        "KeyPolicy": json.loads(kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]),
        "EnableKeyRotation": kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"],
        "Tags": [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags],
    }


def alias(client: Client, resource: Resource) -> Held:
    """A key's alias."""
    kms, wanted = client("kms"), resource.properties
    for entry in kms.list_aliases()["Aliases"]:
        if entry["AliasName"] == wanted["AliasName"]:
            held = kms.describe_key(KeyId=entry["TargetKeyId"])["KeyMetadata"]
            same = wanted["TargetKeyId"] in (held["Arn"], held["KeyId"])
            return {"AliasName": entry["AliasName"], "TargetKeyId": wanted["TargetKeyId"] if same else held["Arn"]}
    return {}


READERS = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::DynamoDB::Table": table,
    "AWS::KMS::Key": key,
    "AWS::KMS::Alias": alias,
}
