"""Commands that run as processes: one that comes twice runs twice, one that hangs never begins."""

import json
from collections.abc import Iterator

import pytest

from sandbox.faults import armed
from sandbox.region import Node, Pace, Region
from tests.workflow.faults.scene import plan
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import a_document, eventually


@pytest.fixture(scope="module")
def folders() -> Iterator[FolderPlane]:
    made = FolderPlane()
    yield made
    made.close()


@pytest.fixture(scope="module")
def node(folders: FolderPlane) -> Iterator[tuple[Region, Node]]:
    region = Region(folders, pace=Pace())
    try:
        region.start()
        document = json.dumps(a_document('echo ran >>"$(dirname "$0")/../../ran"'))
        region.client("ssm").create_document(Name="aerokeep-survey", Content=document, DocumentType="Command")
        yield region, region.launch_node("one", "10.77.0.11")
    finally:
        region.stop()


@pytest.mark.parametrize(("fate", "runs", "status"), [("twice", 2, "Success"), ("hung", 0, "InProgress")])
def test_a_command_runs_as_often_as_its_fate_says(
    node: tuple[Region, Node], folders: FolderPlane, fate: str, runs: int, status: str
) -> None:
    region, one = node
    ran = folders.host_dir(one.instance_id) / "ran"
    ran.write_text("")
    ssm = region.client("ssm")
    with armed(region, plan(f"kind: command, document: survey, fate: {fate}")):
        sent = ssm.send_command(DocumentName="aerokeep-survey", InstanceIds=[one.instance_id])
        command = str(sent["Command"]["CommandId"])

        def seen() -> str:
            return str(ssm.get_command_invocation(CommandId=command, InstanceId=one.instance_id)["Status"])

        assert eventually(lambda: seen() == status)
        assert eventually(lambda: len(ran.read_text().splitlines()) == runs)
    ssm.cancel_command(CommandId=command)
    assert eventually(lambda: seen() in ("Success", "Cancelled"))
    assert len(ran.read_text().splitlines()) == runs
