"""A stack that is updated holds what its template says from then on, under the names that it has had."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.region import Region, hooks
from sandbox.region.deploy.app import DeployError
from tests.workflow.region.sample_template import storage, workflow
from tests.workflow.region.shapes import a_cdk_out, finished

CODE = "import third_party\ndef handler(event, context):\n    return [third_party.NAME, {word!r}]\n"
Template = dict[str, Any]


class Estate:
    """Deploys, again and again, what a test has changed."""

    def __init__(self, region: Region, layer: Path, folder: Path) -> None:
        self._region, self._layer, self._folder = region, layer, folder
        self._times = 0
        self.stacks = {"Storage": storage(), "Workflow": workflow()}
        self.word = "first"

    @property
    def resources(self) -> dict[str, Any]:
        """Those of the second stack."""
        resources: dict[str, Any] = self.stacks["Workflow"]["Resources"]
        return resources

    def deploy(self) -> dict[str, dict[str, str]]:
        """Assets have another key each time, as with the CDK another hash."""
        self._times += 1
        folder = self._folder / str(self._times)
        functions, cdk_out = folder / "functions", folder / "cdk.out"
        functions.mkdir(parents=True)
        cdk_out.mkdir()
        (functions / "code.py").write_text(CODE.format(word=self.word))
        code, layer = f"functions{self._times}.zip", f"layer{self._times}.zip"
        self.resources["Step"]["Properties"]["Code"]["S3Key"] = code
        self.resources["Layer"]["Properties"]["Content"]["S3Key"] = layer
        return self._region.deploy(a_cdk_out(cdk_out, self.stacks, {code: functions, layer: self._layer}))

    def differences(self) -> list[Any]:
        """Of both stacks."""
        found = [self._region.compare(template, stack) for stack, template in self.stacks.items()]
        return [difference for differences in found for difference in differences]

    def names(self) -> dict[str, str]:
        """Logical id → physical id."""
        cloudformation = self._region.client("cloudformation")
        found = cloudformation.describe_stack_resources(StackName="Workflow")["StackResources"]
        return {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in found}


@pytest.fixture
def estate(region: Region, layer: Path, tmp_path: Path) -> Estate:
    made = Estate(region, layer, tmp_path)
    made.deploy()
    return made


CHANGED = 14


def change_everything(estate: Estate) -> None:
    """One property of each resource that can be changed where it stands."""
    held = {name: resource["Properties"] for name, resource in estate.resources.items()}
    held["Role"]["Description"] = "another step's"
    held["Role"]["ManagedPolicyArns"] = []
    held["Role"]["Policies"][0]["PolicyName"] = "renamed"
    held["RolePolicy"]["PolicyDocument"] = copy.deepcopy(held["RolePolicy"]["PolicyDocument"])
    held["RolePolicy"]["PolicyDocument"]["Statement"][0]["Action"] = "ssm:Get*"
    held["StepLogs"]["RetentionInDays"] = 30
    held["Step"] |= {"MemorySize": 1024, "Timeout": 30, "TracingConfig": {"Mode": "PassThrough"}}
    held["Step"]["Environment"] = {"Variables": {"WORD": "second"}}
    held["Machine"]["DefinitionString"] += " "
    held["Machine"]["LoggingConfiguration"]["Level"] = "ALL"
    held["Document"]["Content"]["description"] = "says more"
    held["Parameter"]["Value"] = '{"more": 1}'
    held["Queue"]["MessageRetentionPeriod"] = 600
    held["Topic"]["DisplayName"] = "more failures"
    held["Rule"]["Description"] = "more"
    held["Schedule"]["ScheduleExpression"] = "cron(30 4 * * ? *)"
    held["Alarm"]["Threshold"] = 100
    kept = estate.stacks["Storage"]["Resources"]
    kept["Key"]["Properties"]["Description"] = "more of it"
    kept["Vault"]["Properties"]["VersioningConfiguration"]["Status"] = "Suspended"
    kept["Vault"]["Properties"]["Tags"] = [{"Key": "for", "Value": "exports"}]


def test_an_update_holds_every_property_and_keeps_every_name(estate: Estate) -> None:
    before = estate.names()
    change_everything(estate)
    assert len({difference.logical_id for difference in estate.differences()}) == CHANGED
    estate.deploy()
    assert estate.differences() == []
    after = estate.names()
    assert {name for name in before if before[name] != after[name]} == {"Layer"}


UPDATES = (
    "moto.awslambda.models:LambdaFunction.update_from_cloudformation_json",
    "moto.stepfunctions.models:StateMachine.update_from_cloudformation_json",
)


@pytest.mark.parametrize("target", UPDATES)
def test_without_its_hook_an_update_drops_something(estate: Estate, target: str) -> None:
    change_everything(estate)
    with hooks.lifted(target):
        try:
            estate.deploy()
        except DeployError:
            return
    assert estate.differences() != []


def test_a_machine_runs_the_function_as_it_was_updated(region: Region, estate: Estate) -> None:
    estate.word = "second"
    machine = estate.deploy()["Workflow"]["Machine"]
    assert json.loads(finished(region, machine, {})["output"]) == ["from the layer", "second"]


def test_what_is_taken_out_of_a_template_is_gone(region: Region, estate: Estate) -> None:
    del estate.resources["Schedule"], estate.resources["Alarm"]
    estate.deploy()
    assert region.client("scheduler").list_schedules(GroupName="sample")["Schedules"] == []
    assert region.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_what_is_renamed_is_not_there_twice(region: Region, estate: Estate) -> None:
    estate.resources["Schedule"]["Properties"]["Name"] = "hourly"
    estate.resources["Parameter"]["Properties"]["Name"] = "/sample/other"
    estate.deploy()
    assert estate.differences() == []
    listed = region.client("scheduler").list_schedules(GroupName="sample")["Schedules"]
    assert [schedule["Name"] for schedule in listed] == ["hourly"]
    parameters = region.client("ssm").describe_parameters()["Parameters"]
    assert [entry["Name"] for entry in parameters if entry["Name"].startswith("/sample")] == ["/sample/other"]


def test_an_update_that_fails_leaves_what_was_there(region: Region, estate: Estate) -> None:
    before = copy.deepcopy(estate.resources)
    estate.resources["Parameter"]["Properties"]["Value"] = {"Fn::ImportValue": "nobody-exports-this"}
    estate.resources["Schedule"]["Properties"]["ScheduleExpression"] = "cron(30 4 * * ? *)"
    with pytest.raises(DeployError, match=r"UPDATE_ROLLBACK_COMPLETE: .*nobody-exports-this"):
        estate.deploy()
    assert region.compare({**workflow(), "Resources": before}, "Workflow") == []


def test_nothing_is_updated_when_nothing_has_changed(region: Region, tmp_path: Path) -> None:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    cdk_out = a_cdk_out(folder, {"Storage": storage()}, {})
    first = region.deploy(cdk_out)
    assert region.deploy(cdk_out) == first
    told = region.client("cloudformation").describe_stacks(StackName="Storage")["Stacks"][0]
    assert told["StackStatus"] == "CREATE_COMPLETE"


def test_the_caller_of_what_cloudformation_does_is_cloudformation(region: Region, tmp_path: Path) -> None:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    with region.recorder.recording() as record:
        region.deploy(a_cdk_out(folder, {"Storage": storage()}, {}))
    callers = {call.caller for call in record.calls if call.action == "PutBucketVersioning"}
    assert callers == {"cloudformation"}
