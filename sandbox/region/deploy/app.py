"""Deploy what `cdk synth` wrote: assets into the bootstrap bucket, then the stacks, in order, byte for byte."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from sandbox.region.region import Region

BOOTSTRAP_VERSION = "30"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
EPOCH = (1980, 1, 1, 0, 0, 0)
DONE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
NO_CHANGE = "No updates are to be performed."


class DeployError(Exception):
    """The region did not take a stack; the message is CloudFormation's."""


def deploy(region: "Region", cdk_out: Path, stacks: Sequence[str] | None) -> dict[str, dict[str, str]]:
    """Deploy all stacks of the manifest, or those named and nothing else; → stack → outputs.

    Raises:
        DeployError: a stack failed.

    """
    artifacts = json.loads((cdk_out / "manifest.json").read_text())["artifacts"]
    _bootstrap(region)
    uploaded: set[str] = set()
    outputs = {}
    for name in _in_order(artifacts):
        if stacks is None or name in stacks:
            _upload(region, cdk_out / f"{name}.assets.json", uploaded)
            outputs[name] = _create(region, name, artifacts[name]["properties"])
    return outputs


def _in_order(artifacts: Mapping[str, Any]) -> list[str]:
    """Stacks, each after those that it depends on."""
    wanted = [name for name, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"]
    ordered: list[str] = []

    def add(name: str) -> None:
        for needed in artifacts[name].get("dependencies", []):
            if needed in wanted:
                add(needed)
        if name not in ordered:
            ordered.append(name)

    for name in wanted:
        add(name)
    return ordered


def _bootstrap(region: "Region") -> None:
    """What `cdk bootstrap` leaves in an account, as far as templates look at it, where nobody has done it."""
    ssm = region.client("ssm")
    with suppress(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value=BOOTSTRAP_VERSION, Type="String")
    bucket = f"cdk-hnb659fds-assets-{region.account}-{region.region}"
    try:
        region.client("s3").head_bucket(Bucket=bucket)
    except ClientError:
        region.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region.region}
        )


def placed(region: "Region", text: str) -> str:
    """Fill in the placeholders that CDK leaves in manifests."""
    places = {"AWS::AccountId": region.account, "AWS::Region": region.region, "AWS::Partition": "aws"}
    for place, value in places.items():
        text = text.replace("${" + place + "}", value)
    return text


def _upload(region: "Region", manifest: Path, uploaded: set[str]) -> None:
    for asset in json.loads(manifest.read_text())["files"].values():
        source = manifest.parent / asset["source"]["path"]
        body: bytes | None = None
        for destination in asset["destinations"].values():
            bucket, key = placed(region, destination["bucketName"]), placed(region, destination["objectKey"])
            if key in uploaded:
                continue
            body = body or (_zipped(source) if asset["source"]["packaging"] == "zip" else source.read_bytes())
            region.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
            uploaded.add(key)


def _zipped(source: Path) -> bytes:
    """A folder as the same zip each time; a file that is a zip already, as it is."""
    if source.is_file():
        return source.read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), EPOCH)
                entry.external_attr = (path.stat().st_mode & 0o777) << 16
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _create(region: "Region", name: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """Create or update one stack from its uploaded template."""
    stack_name = properties.get("stackName", name)
    bucket, _, key = placed(region, properties["stackTemplateAssetObjectUrl"]).removeprefix("s3://").partition("/")
    cloudformation = region.client("cloudformation")
    wanted = {
        "StackName": stack_name,
        "TemplateURL": f"{region.endpoint}/{bucket}/{key}",
        "Capabilities": CAPABILITIES,
        "Tags": [{"Key": tag, "Value": value} for tag, value in properties.get("tags", {}).items()],
    }
    protected = bool(properties.get("terminationProtection"))
    try:
        cloudformation.create_stack(EnableTerminationProtection=protected, **wanted)
    except cloudformation.exceptions.AlreadyExistsException:
        _update(cloudformation, wanted)
    stack = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    if stack["StackStatus"] not in DONE:
        raise DeployError(f"{stack_name}: {stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _update(cloudformation: Any, wanted: Mapping[str, Any]) -> None:  # noqa: ANN401  # boto3 makes its clients at run time
    try:
        cloudformation.update_stack(**wanted)
    except ClientError as error:
        if error.response["Error"]["Message"] != NO_CHANGE:
            raise
