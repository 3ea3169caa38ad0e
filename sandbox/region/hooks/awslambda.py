"""Lambda: functions run in processes of their own instead of containers."""

import base64
import json
import threading
from typing import TYPE_CHECKING, Any

from sandbox.region.hooks.hook import Hook
from sandbox.region.lambdas.instance import Deployed

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _run(region: "Region", _old: Moto) -> Moto:
    def _invoke_lambda(self: Moto, event: Moto = None) -> tuple[str, bool, str]:
        outcome = region.fleet.invoke(_deployed(region, self), {} if event is None else event)
        return outcome.payload, outcome.failed, outcome.log

    return _invoke_lambda


def _invoke(region: "Region", old: Moto) -> Moto:
    def invoke(self: Moto, body: str, request_headers: Moto, response_headers: Moto) -> Moto:
        if request_headers.get("X-Amz-Invocation-Type") == "Event":
            event = json.loads(body) if body else {}
            run = threading.Thread(target=region.fleet.invoke, args=(_deployed(region, self), event), daemon=True)
            run.start()
            return b""
        answer = old(self, body, request_headers, response_headers)
        if "x-amz-function-error" in response_headers:
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer

    return invoke


def _deployed(region: "Region", function: Moto) -> Deployed:
    role = str(function.role).rpartition("/")[2]
    log_group = (getattr(function, "logging_config", None) or {}).get("LogGroup") or function.logs_group_name
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        **{name: str(value) for name, value in function.environment_vars.items()},
        **region.environment_of(role),
    }
    return Deployed(
        name=function.function_name,
        arn=function.function_arn,
        handler=function.handler,
        role=role,
        timeout_s=float(function.timeout),
        memory_mb=int(function.memory_size),
        log_group=log_group,
        code=function.code_bytes,
        code_sha256=function.code_sha_256,
        environment=tuple(sorted(environment.items())),
    )


def _configuration(_region: "Region", old: Moto) -> Moto:
    def get_configuration(self: Moto, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # moto's own signature
        held: dict[str, Any] = old(self, on_create)
        group = {"LogFormat": "Text", "LogGroup": self.logs_group_name}
        held["LoggingConfig"] = {**group, **(getattr(self, "logging_config", None) or {})}
        return held

    return get_configuration


def _create(_region: "Region", old: Moto) -> Moto:
    def create_from_cloudformation_json(
        cls: Moto,
        /,
        resource_name: str,
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
        **kwargs: Any,  # noqa: ANN401  # moto's own signature
    ) -> Moto:
        wanted = cloudformation_json["Properties"]
        function = old.__func__(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        return _as_told(function, wanted)

    return classmethod(create_from_cloudformation_json)


def _as_told(function: Moto, wanted: dict[str, Any]) -> Moto:
    function.architectures = wanted.get("Architectures", ["x86_64"])
    function.tracing_config = wanted.get("TracingConfig", {"Mode": "PassThrough"})
    function.logging_config = wanted.get("LoggingConfig", {})
    function.ephemeral_storage = wanted.get("EphemeralStorage", {}).get("Size", 512)
    function.kms_key_arn = wanted.get("KmsKeyArn")
    function.layers = function._get_layers_data(wanted.get("Layers", []))
    function.tags = {tag["Key"]: tag["Value"] for tag in wanted.get("Tags", [])}
    return function


def _update(_region: "Region", _old: Moto) -> Moto:
    def update_from_cloudformation_json(
        cls: Moto,
        original_resource: Moto,
        new_resource_name: str,  # noqa: ARG001  # moto's own signature
        cloudformation_json: Moto,
        account_id: str,  # noqa: ARG001  # the same
        region_name: str,  # noqa: ARG001  # the same
    ) -> Moto:
        wanted = cloudformation_json["Properties"]
        original_resource.environment_vars = {}
        original_resource.update_configuration(wanted)
        code = dict(wanted["Code"])
        if "ZipFile" in code:  # of templates it is the text of one file
            code["ZipFile"] = base64.b64encode(cls._create_zipfile_from_plaintext_code(code["ZipFile"]))
        original_resource.update_function_code(code)
        return _as_told(original_resource, wanted)

    return classmethod(update_from_cloudformation_json)


def _create_layer(_region: "Region", old: Moto) -> Moto:
    def create_from_cloudformation_json(
        cls: Moto,
        /,
        resource_name: str,
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
        **kwargs: Any,  # noqa: ANN401  # moto's own signature
    ) -> Moto:
        layer = old.__func__(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        layer.compatible_architectures = cloudformation_json["Properties"].get("CompatibleArchitectures", [])
        return layer

    return classmethod(create_from_cloudformation_json)


def _layer_id(_region: "Region", _old: Moto) -> Moto:
    return property(lambda self: self.arn)


HOOKS = (
    Hook(
        "moto.awslambda.models:LambdaFunction._invoke_lambda",
        "moto runs functions in Docker only.",
        _run,
        ("self", "event"),
    ),
    Hook(
        "moto.awslambda.models:LambdaFunction.invoke",
        "moto lets the caller of an asynchronous invocation wait for its end, and calls every error Handled.",
        _invoke,
        ("self", "body", "request_headers", "response_headers"),
    ),
    Hook(
        "moto.awslambda.models:LambdaFunction.get_configuration",
        "moto does not know where a function logs to.",
        _configuration,
        ("self", "on_create"),
    ),
    Hook(
        "moto.awslambda.models:LambdaFunction.create_from_cloudformation_json",
        "moto drops layers, architectures, tracing, logging, storage, key and tags of functions in templates.",
        _create,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
    Hook(
        "moto.awslambda.models:LambdaFunction.update_from_cloudformation_json",
        "moto drops the same when it updates a function, and keeps an environment that is no longer in the template.",
        _update,
        ("cls", "original_resource", "new_resource_name", "cloudformation_json", "account_id", "region_name"),
    ),
    Hook(
        "moto.awslambda.models:LayerVersion.create_from_cloudformation_json",
        "moto drops the architectures of layers in templates.",
        _create_layer,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
    Hook(
        "moto.awslambda.models:LayerVersion.physical_resource_id",
        "moto's layer versions have no physical id, so a Ref to one is no ARN.",
        _layer_id,
        added=True,
    ),
)
