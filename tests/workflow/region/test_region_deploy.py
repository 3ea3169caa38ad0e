"""What a template says is what the region holds, property by property, and the comparison sees where it is not."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.region import Region
from tests.workflow.region.sample_template import storage, workflow
from tests.workflow.region.shapes import a_cdk_out, finished

CDK_OUT = Path(__file__).parents[3] / "cdk.out"
CODE = (
    "import os, third_party\ndef handler(event, context):\n    return [third_party.NAME, os.environ['VAULT'], event]\n"
)
Outputs = dict[str, dict[str, str]]


@pytest.fixture
def deployed(region: Region, layer: Path, tmp_path: Path) -> Outputs:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "code.py").write_text(CODE)
    cdk_out = tmp_path / "cdk.out"
    cdk_out.mkdir()
    assets = {"functions.zip": functions, "layer.zip": layer}
    return region.deploy(a_cdk_out(cdk_out, {"Storage": storage(), "Workflow": workflow()}, assets))


@pytest.mark.parametrize(("stack", "template"), [("Storage", storage()), ("Workflow", workflow())])
@pytest.mark.usefixtures("deployed")
def test_every_property_of_every_resource_is_held(region: Region, stack: str, template: dict[str, Any]) -> None:
    assert region.compare(template, stack) == []


def test_the_templates_are_held_byte_for_byte_and_their_outputs_are_told(
    region: Region, deployed: Outputs, tmp_path: Path
) -> None:
    body = region.client("cloudformation").get_template(StackName="Workflow")["TemplateBody"]
    assert (body if isinstance(body, dict) else json.loads(body)) == workflow()
    stored = region.client("s3").get_object(
        Bucket="cdk-hnb659fds-assets-111122223333-eu-central-1", Key="Workflow.json"
    )
    assert stored["Body"].read() == (tmp_path / "cdk.out" / "Workflow.template.json").read_bytes()
    assert deployed["Workflow"]["Machine"].endswith(":stateMachine:sample")
    assert region.client("s3").get_bucket_versioning(Bucket=deployed["Storage"]["VaultName"])["Status"] == "Enabled"


def test_a_deployed_machine_runs_its_deployed_function(region: Region, deployed: Outputs) -> None:
    execution = finished(region, deployed["Workflow"]["Machine"], {"a": 1})
    assert json.loads(execution["output"]) == ["from the layer", deployed["Storage"]["VaultName"], {"a": 1}]


def _paths(region: Region, stack: str, template: dict[str, Any]) -> set[str]:
    return {f"{difference.logical_id}.{difference.path}" for difference in region.compare(template, stack)}


@pytest.mark.usefixtures("deployed")
def test_each_property_that_is_not_held_is_a_difference(region: Region) -> None:
    changed = copy.deepcopy(workflow())
    resources = changed["Resources"]
    resources["Step"]["Properties"]["TracingConfig"]["Mode"] = "PassThrough"
    resources["Step"]["Properties"]["Layers"] = []
    resources["Schedule"]["Properties"]["Target"]["RetryPolicy"]["MaximumRetryAttempts"] = 11
    resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Effect"] = "Allow"
    resources["Document"]["Properties"]["Content"]["description"] = "says more"
    resources["Machine"]["Properties"]["DefinitionString"] += " "
    resources["Rule"]["Properties"]["NoSuchProperty"] = "x"
    assert _paths(region, "Workflow", changed) == {
        "Step.TracingConfig.Mode",
        "Step.Layers",
        "Schedule.Target.RetryPolicy.MaximumRetryAttempts",
        "QueuePolicy.PolicyDocument.Statement[0].Effect",
        "Document.Content.description",
        "Machine.DefinitionString",
        "Machine.DefinitionSubstitutions",
        "Rule.NoSuchProperty",
    }


def test_a_change_behind_the_templates_back_is_a_difference(region: Region, deployed: Outputs) -> None:
    name = deployed["Storage"]["VaultName"]
    region.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    region.client("s3").delete_public_access_block(Bucket=name)
    changed = _paths(region, "Storage", storage())
    assert "Vault.VersioningConfiguration.Status" in changed
    assert "Vault.PublicAccessBlockConfiguration.BlockPublicAcls" in changed
    assert all(path.startswith("Vault.") for path in changed)


def test_a_type_that_nobody_reads_is_a_difference(region: Region, tmp_path: Path) -> None:
    template = {"Resources": {"Odd": {"Type": "AWS::Wisdom::Assistant", "Properties": {"Name": "x"}}}}
    region.deploy(a_cdk_out(tmp_path, {"Odd": template}, {}))
    assert [difference.wanted for difference in region.compare(template, "Odd")] == ["a reader of this type"]


@pytest.mark.skipif(not (CDK_OUT / "manifest.json").exists(), reason="no cdk.out: run `make synth` first")
def test_every_property_of_the_synthesized_templates_is_held(region: Region) -> None:
    stacks = region.deploy(CDK_OUT)
    assert stacks
    for stack in stacks:
        template = json.loads((CDK_OUT / f"{stack}.template.json").read_text())
        assert region.compare(template, stack) == []
