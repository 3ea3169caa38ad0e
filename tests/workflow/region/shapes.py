"""Functions, machines and documents to deploy in tests of the region."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.region import Region

ROLE = "arn:aws:iam::111122223333:role/tester"
TRUST = '{"Version":"2012-10-17","Statement":[]}'


def zipped(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("code.py", code)
    return buffer.getvalue()


def a_function(region: Region, name: str, code: str, *, timeout_s: int = 5, role: str = "tester") -> str:
    """Deploy a function `handler` of module `code`; → its ARN."""
    iam = region.client("iam")
    if role not in [entry["RoleName"] for entry in iam.list_roles()["Roles"]]:
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    made = region.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.14",
        Role=f"arn:aws:iam::{region.account}:role/{role}",
        Handler="code.handler",
        Code={"ZipFile": zipped(code)},
        Timeout=timeout_s,
        Environment={"Variables": {"OF_FUNCTION": name}},
    )
    return str(made["FunctionArn"])


def invoked(region: Region, name: str, event: object) -> tuple[bool, Any]:
    """→ (failed, payload)."""
    answer = region.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return "FunctionError" in answer, json.loads(answer["Payload"].read())


def a_machine(region: Region, definition: Mapping[str, Any], *, name: str = "machine") -> str:
    """Deploy a state machine; → its ARN."""
    made = region.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


def finished(region: Region, machine: str, given: object) -> dict[str, Any]:
    """Run an execution to its end; → what DescribeExecution says."""
    states = region.client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    for _ in region.follow(execution):
        pass
    described: dict[str, Any] = states.describe_execution(executionArn=execution)
    return described


def eventually(question: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    """Ask until it is so."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.01)
    return question()


def state_of(region: Region, instance_id: str) -> str:
    """The state of an instance."""
    found = region.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    return str(found[0]["Instances"][0]["State"]["Name"])


def a_document(*lines: str, timeout_s: str = "60", **parameters: Mapping[str, str]) -> dict[str, Any]:
    """A command document of one shell step."""
    return {
        "schemaVersion": "2.2",
        "description": "for a test",
        "parameters": parameters,
        "mainSteps": [
            {
                "action": "aws:runShellScript",
                "name": "go",
                "inputs": {"timeoutSeconds": timeout_s, "runCommand": list(lines)},
            }
        ],
    }


def a_cdk_out(folder: Path, stacks: Mapping[str, Mapping[str, Any]], assets: Mapping[str, Path]) -> Path:
    """Write what `cdk synth` would write: templates, asset manifests and the manifest; stacks depend in order."""
    bucket = "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"
    artifacts: dict[str, Any] = {}
    before: list[str] = []
    for name, template in stacks.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        files = {f"{name}.template.json": ("file", f"{name}.json")}
        files |= {str(path): ("zip", key) for key, path in assets.items()}
        described = {
            key: {
                "source": {"path": path, "packaging": packaging},
                "destinations": {"current": {"bucketName": bucket, "objectKey": key}},
            }
            for path, (packaging, key) in files.items()
        }
        (folder / f"{name}.assets.json").write_text(json.dumps({"files": described}))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "dependencies": [*before, f"{name}.assets"],
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackTemplateAssetObjectUrl": f"s3://{bucket}/{name}.json",
            },
        }
        before.append(name)
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder
