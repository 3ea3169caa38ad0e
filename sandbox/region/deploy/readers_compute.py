"""Read functions, layers, roles, logs, documents and machines back in the spelling of templates."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Held = Mapping[str, Any]


def _sha256_of(client: Client, location: Mapping[str, Any]) -> str:
    body = client("s3").get_object(Bucket=location["S3Bucket"], Key=location["S3Key"])["Body"].read()
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def function(client: Client, resource: Resource) -> Held:
    """A Lambda function; its code is the same if its digest is."""
    held = client("lambda").get_function(FunctionName=resource.physical_id)
    configuration = held["Configuration"]
    code = resource.properties["Code"]
    same = "S3Key" in code and _sha256_of(client, code) == configuration["CodeSha256"]
    concurrency = held.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    return {
        **configuration,
        "KmsKeyArn": configuration.get("KMSKeyArn"),
        "Code": code if same else {"CodeSha256": configuration["CodeSha256"]},
        "Layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
        "ReservedConcurrentExecutions": concurrency,
        "Tags": [{"Key": key, "Value": value} for key, value in held.get("Tags", {}).items()],
    }


def layer(client: Client, resource: Resource) -> Held:
    """A layer version."""
    name, _, version = resource.physical_id.rpartition(":")
    held = client("lambda").get_layer_version(LayerName=name.rpartition(":")[2], VersionNumber=int(version))
    content = resource.properties["Content"]
    same = _sha256_of(client, content) == held["Content"]["CodeSha256"]
    return {
        **held,
        "LayerName": held["LayerArn"].rpartition(":")[2],
        "Content": content if same else {"CodeSha256": held["Content"]["CodeSha256"]},
    }


def permission(client: Client, resource: Resource) -> Held:
    """Who may invoke a function: the statement that says what the template says."""
    wanted = resource.properties
    policy = json.loads(client("lambda").get_policy(FunctionName=wanted["FunctionName"])["Policy"])
    for statement in policy["Statement"]:
        held = {
            "FunctionName": wanted["FunctionName"],
            "Action": statement["Action"],
            "Principal": statement["Principal"].get("Service") or statement["Principal"].get("AWS"),
            "SourceArn": statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn"),
        }
        if held["Principal"] == wanted["Principal"] and held["SourceArn"] == wanted.get("SourceArn"):
            return held
    return {}


def event_invoke_config(client: Client, resource: Resource) -> Held:
    """Retries of asynchronous invocations."""
    name = resource.properties["FunctionName"]
    held = client("lambda").get_function_event_invoke_config(FunctionName=name)
    return {**held, "FunctionName": name, "Qualifier": "$LATEST"}


def role(client: Client, resource: Resource) -> Held:
    """A role with the policies that stand in it."""
    iam, name = client("iam"), resource.physical_id
    held = iam.get_role(RoleName=name)["Role"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    inline = {str(policy["PolicyName"]) for policy in resource.properties.get("Policies", [])}
    return {
        **held,
        "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
        "PermissionsBoundary": held.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "Policies": [
            {"PolicyName": n, "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"]}
            for n in iam.list_role_policies(RoleName=name)["PolicyNames"]
            if n in inline
        ],
    }


def inline_policy(client: Client, resource: Resource) -> Held:
    """A policy of one or more roles; different documents in them are a difference."""
    iam, wanted = client("iam"), resource.properties
    documents, roles = [], []
    for name in wanted.get("Roles", []):
        if wanted["PolicyName"] in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            roles.append(name)
            documents.append(iam.get_role_policy(RoleName=name, PolicyName=wanted["PolicyName"])["PolicyDocument"])
    one = documents[0] if documents and all(document == documents[0] for document in documents) else documents
    return {"PolicyName": wanted["PolicyName"], "Roles": roles, "PolicyDocument": one}


def managed_policy(client: Client, resource: Resource) -> Held:
    """A managed policy's default version."""
    iam, arn = client("iam"), resource.physical_id
    held = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=held["DefaultVersionId"])["PolicyVersion"]
    entities = iam.list_entities_for_policy(PolicyArn=arn)
    return {
        **held,
        "ManagedPolicyName": held["PolicyName"],
        "PolicyDocument": version["Document"],
        "Roles": [entity["RoleName"] for entity in entities["PolicyRoles"]],
    }


def log_group(client: Client, resource: Resource) -> Held:
    """A log group."""
    groups = client("logs").describe_log_groups(logGroupNamePrefix=resource.physical_id)["logGroups"]
    held: dict[str, Any] = next((group for group in groups if group["logGroupName"] == resource.physical_id), {})
    names = {"LogGroupName": "logGroupName", "RetentionInDays": "retentionInDays", "KmsKeyId": "kmsKeyId"}
    return {ours: held[theirs] for ours, theirs in names.items() if theirs in held}


def document(client: Client, resource: Resource) -> Held:
    """An SSM document; its content must be JSON."""
    ssm, name = client("ssm"), resource.properties.get("Name", resource.physical_id)
    held = ssm.get_document(Name=name)
    content = json.loads(held["Content"])
    wanted = resource.properties["Content"]
    return {
        **ssm.describe_document(Name=name)["Document"],
        "Content": held["Content"] if isinstance(wanted, str) else content,
        "DocumentType": held["DocumentType"],
        "DocumentFormat": held["DocumentFormat"],
    }


def parameter(client: Client, resource: Resource) -> Held:
    """An SSM parameter."""
    ssm, name = client("ssm"), resource.properties.get("Name", resource.physical_id)
    listed = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"][0]
    return {**listed, **ssm.get_parameter(Name=name)["Parameter"]}


def machine(client: Client, resource: Resource) -> Held:
    """A state machine: its definition is the template's text with the substitutions made."""
    held = client("stepfunctions").describe_state_machine(stateMachineArn=resource.physical_id)
    wanted = resource.properties
    text = str(wanted.get("DefinitionString", ""))
    for name, value in wanted.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", str(value))
    same = text == held["definition"]
    return {
        "StateMachineName": held["name"],
        "StateMachineType": held["type"],
        "RoleArn": held["roleArn"],
        "DefinitionString": wanted.get("DefinitionString") if same else held["definition"],
        "DefinitionSubstitutions": wanted.get("DefinitionSubstitutions") if same else held["definition"],
        "LoggingConfiguration": _template_spelling(held.get("loggingConfiguration")),
        "TracingConfiguration": _template_spelling(held.get("tracingConfiguration")),
        "EncryptionConfiguration": _template_spelling(held.get("encryptionConfiguration")),
    }


def _template_spelling(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """The API says ``logGroupArn`` where CloudFormation says ``LogGroupArn``."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: _template_spelling(item) for key, item in value.items()}
    return [_template_spelling(item) for item in value] if isinstance(value, list) else value


READERS = {
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::EventInvokeConfig": event_invoke_config,
    "AWS::IAM::Role": role,
    "AWS::IAM::Policy": inline_policy,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::Logs::LogGroup": log_group,
    "AWS::SSM::Document": document,
    "AWS::SSM::Parameter": parameter,
    "AWS::StepFunctions::StateMachine": machine,
}
