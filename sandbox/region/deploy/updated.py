"""Update a resource where it stands, through its own API: moto replaces some, forgets them, or gives them new names."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Update = Callable[[Client, Resource, Resource], None]
QUEUE_ATTRIBUTES = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "KmsMasterKeyId", "RedrivePolicy")


def as_applied(_client: Client, _old: Resource, _new: Resource) -> None:
    """Nothing that `APPLY` does not do after each update."""


def bucket(client: Client, _old: Resource, new: Resource) -> None:
    """Tags; the rest is applied."""
    tags = list(new.properties.get("Tags", []))
    client("s3").put_bucket_tagging(Bucket=new.physical_id, Tagging={"TagSet": tags})


def key(client: Client, _old: Resource, new: Resource) -> None:
    """Policy, description and rotation."""
    kms, wanted = client("kms"), new.properties
    kms.put_key_policy(KeyId=new.physical_id, PolicyName="default", Policy=json.dumps(wanted["KeyPolicy"]))
    kms.update_key_description(KeyId=new.physical_id, Description=wanted.get("Description", ""))
    rotates = str(wanted.get("EnableKeyRotation", False)).lower() == "true"
    (kms.enable_key_rotation if rotates else kms.disable_key_rotation)(KeyId=new.physical_id)


def log_group(client: Client, _old: Resource, new: Resource) -> None:
    """Days of retention."""
    logs, days = client("logs"), new.properties.get("RetentionInDays")
    if days is None:
        logs.delete_retention_policy(logGroupName=new.physical_id)
    else:
        logs.put_retention_policy(logGroupName=new.physical_id, retentionInDays=int(days))


def queue(client: Client, _old: Resource, new: Resource) -> None:
    """Its attributes."""
    given = {name: new.properties[name] for name in QUEUE_ATTRIBUTES if name in new.properties}
    attributes = {name: json.dumps(v) if isinstance(v, Mapping) else str(v) for name, v in given.items()}
    client("sqs").set_queue_attributes(QueueUrl=new.physical_id, Attributes=attributes)


def role(client: Client, old: Resource, new: Resource) -> None:
    """Trust, description, and what it no longer has; what it has is applied."""
    iam, name = client("iam"), new.physical_id
    trust = json.dumps(new.properties["AssumeRolePolicyDocument"])
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    iam.update_role(RoleName=name, Description=new.properties.get("Description", ""))
    for gone in _inline(old) - _inline(new):
        iam.delete_role_policy(RoleName=name, PolicyName=gone)
    for arn in set(old.properties.get("ManagedPolicyArns", [])) - set(new.properties.get("ManagedPolicyArns", [])):
        iam.detach_role_policy(RoleName=name, PolicyArn=arn)


def _inline(resource: Resource) -> set[str]:
    return {str(policy["PolicyName"]) for policy in resource.properties.get("Policies", [])}


def inline_policy(client: Client, old: Resource, new: Resource) -> None:
    """A policy of one or more roles."""
    iam = client("iam")
    document = json.dumps(new.properties["PolicyDocument"])
    for name in new.properties.get("Roles", []):
        iam.put_role_policy(RoleName=name, PolicyName=new.properties["PolicyName"], PolicyDocument=document)
    for name, policy in _policies_of(old) - _policies_of(new):
        iam.delete_role_policy(RoleName=name, PolicyName=policy)


def _policies_of(resource: Resource) -> set[tuple[str, str]]:
    return {(str(name), str(resource.properties["PolicyName"])) for name in resource.properties.get("Roles", [])}


def parameter(client: Client, _old: Resource, new: Resource) -> None:
    """A new version of a parameter."""
    names = ("Type", "Value", "Description")
    wanted = {name: new.properties[name] for name in names if name in new.properties}
    client("ssm").put_parameter(Name=new.physical_id, Overwrite=True, **wanted)


def document(client: Client, old: Resource, new: Resource) -> None:
    """A new version of a document, the default from now on; or the one that said the same already."""
    wanted = new.properties
    if wanted["Content"] == old.properties["Content"]:
        return
    ssm, name = client("ssm"), new.physical_id
    content = wanted["Content"] if isinstance(wanted["Content"], str) else json.dumps(wanted["Content"])
    shape = {"Name": name, "DocumentFormat": wanted.get("DocumentFormat", "JSON")}
    target = {"TargetType": wanted["TargetType"]} if "TargetType" in wanted else {}
    try:
        made = ssm.update_document(Content=content, DocumentVersion="$LATEST", **shape, **target)["DocumentDescription"]
        version = str(made["DocumentVersion"])
    except ssm.exceptions.DuplicateDocumentContent:
        listed = ssm.list_document_versions(Name=name)["DocumentVersions"]
        numbers = [str(entry["DocumentVersion"]) for entry in listed]
        version = next(n for n in numbers if ssm.get_document(DocumentVersion=n, **shape)["Content"] == content)
    ssm.update_document_default_version(Name=name, DocumentVersion=version)


IN_PLACE: dict[str, Update] = {
    "AWS::S3::Bucket": bucket,
    "AWS::DynamoDB::Table": as_applied,
    "AWS::KMS::Key": key,
    "AWS::Logs::LogGroup": log_group,
    "AWS::SQS::Queue": queue,
    "AWS::SNS::Topic": as_applied,
    "AWS::IAM::Role": role,
    "AWS::IAM::Policy": inline_policy,
    "AWS::SSM::Parameter": parameter,
    "AWS::SSM::Document": document,
}
