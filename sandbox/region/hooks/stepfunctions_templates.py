"""Step Functions machines of CloudFormation templates: executed, with their substitutions, logging and tracing."""

import json
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.responses import get_backend

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _machine(region: "Region", _old: Moto) -> Moto:
    def create_from_cloudformation_json(
        cls: Moto,  # noqa: ARG001  # moto's own signature
        /,
        resource_name: str,
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
        **kwargs: Any,  # noqa: ANN401, ARG001  # the same
    ) -> Moto:

        wanted = cloudformation_json["Properties"]
        backend = get_backend(account_id, region_name)
        return backend.create_state_machine(
            wanted.get("StateMachineName", resource_name),
            _definition(region, wanted),
            wanted.get("RoleArn", ""),
            tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in wanted.get("Tags", [])],
            sm_type=wanted.get("StateMachineType"),
            loggingConfiguration=_api_spelling(wanted.get("LoggingConfiguration")),
            tracingConfiguration=_api_spelling(wanted.get("TracingConfiguration")),
            encryptionConfiguration=_api_spelling(wanted.get("EncryptionConfiguration")),
        )

    return classmethod(create_from_cloudformation_json)


def _update(region: "Region", _old: Moto) -> Moto:
    def update_from_cloudformation_json(
        cls: Moto,  # noqa: ARG001  # moto's own signature
        original_resource: Moto,
        new_resource_name: str,  # noqa: ARG001  # the same
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
    ) -> Moto:
        wanted = cloudformation_json["Properties"]
        return get_backend(account_id, region_name).update_state_machine(
            original_resource.arn,
            _definition(region, wanted),
            wanted.get("RoleArn", ""),
            logging_configuration=_api_spelling(wanted.get("LoggingConfiguration")),
            tracing_configuration=_api_spelling(wanted.get("TracingConfiguration")),
            encryption_configuration=_api_spelling(wanted.get("EncryptionConfiguration")),
        )

    return classmethod(update_from_cloudformation_json)


def _definition(region: "Region", wanted: dict[str, Any]) -> str:
    if location := wanted.get("DefinitionS3Location"):
        s3 = region.client("s3")
        body = s3.get_object(Bucket=location["Bucket"], Key=location["Key"])["Body"].read()
        text = str(body.decode())
    else:
        text = str(wanted.get("DefinitionString") or json.dumps(wanted["Definition"]))
    for name, value in wanted.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", str(value))
    return text


def _api_spelling(value: Moto) -> Moto:
    """CloudFormation says ``LogGroupArn`` where the API says ``logGroupArn``."""
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _api_spelling(item) for key, item in value.items()}
    return [_api_spelling(item) for item in value] if isinstance(value, list) else value


HOOKS = (
    Hook(
        "moto.stepfunctions.models:StateMachine.create_from_cloudformation_json",
        "moto puts machines of templates where nothing executes, and drops substitutions, logging and tracing.",
        _machine,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
    Hook(
        "moto.stepfunctions.models:StateMachine.update_from_cloudformation_json",
        "moto looks for the machine where it did not put it, and drops the same.",
        _update,
        ("cls", "original_resource", "new_resource_name", "cloudformation_json", "account_id", "region_name"),
    ),
)
