"""S3, DynamoDB and KMS: what moto's CloudFormation drops of them, put through their API."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.region.deploy.lifecycle import api_rule
from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Apply = Callable[[Client, Resource], None]


def bucket(client: Client, resource: Resource) -> None:
    """Encryption by bucket key, versioning, public access, lifecycle, access logs, ownership."""
    s3, name, wanted = client("s3"), resource.physical_id, resource.properties
    if encryption := wanted.get("BucketEncryption"):
        rules = [_encryption(rule) for rule in encryption["ServerSideEncryptionConfiguration"]]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if versioning := wanted.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if block := wanted.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_booleans(block))
    if lifecycle := wanted.get("LifecycleConfiguration"):
        rules = [api_rule(rule) for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if ownership := wanted.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=dict(ownership))
    if logging := wanted.get("LoggingConfiguration"):
        target = {
            "TargetBucket": logging.get("DestinationBucketName", name),
            "TargetPrefix": logging.get("LogFilePrefix", ""),
        }
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": target})


def _encryption(rule: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
    return {**made, "BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else made


def _booleans(block: dict[str, Any]) -> dict[str, bool]:
    return {key: str(value).lower() == "true" for key, value in block.items()}


def bucket_policy(client: Client, resource: Resource) -> None:
    """The policy itself: moto skips the resource."""
    document = json.dumps(resource.properties["PolicyDocument"])
    client("s3").put_bucket_policy(Bucket=resource.properties["Bucket"], Policy=document)


def remove_bucket_policy(client: Client, resource: Resource) -> None:
    """The bucket stays."""
    client("s3").delete_bucket_policy(Bucket=resource.properties["Bucket"])


def table(client: Client, resource: Resource) -> None:
    """Point-in-time recovery and expiry of items."""
    dynamodb, name, wanted = client("dynamodb"), resource.physical_id, resource.properties
    if recovery := wanted.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=dict(recovery))
    if expiry := wanted.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=dict(expiry))


APPLY: dict[str, Apply] = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::DynamoDB::Table": table,
}
REMOVE: dict[str, Apply] = {
    "AWS::S3::BucketPolicy": remove_bucket_policy,
}
