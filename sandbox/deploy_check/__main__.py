"""Deploy our app with the CDK CLI into a region that runs, change it, and run a backup with the AWS CLI."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.deploy_check.tools import ROOT, CheckError, Tools
from sandbox.light import LightPlane
from sandbox.light.launch import LightClusters
from sandbox.region import Pace, Region

FOLDER = ROOT / "build" / "deploy-check"
CLUSTER = "demo"
TAG = ("aerokeep-demo", "demo")
STACKS = ("AerokeepStorage", "AerokeepDocuments", "AerokeepWorkflow", "AerokeepTrigger")
NEVER_ASK = ("--all", "--require-approval", "never")
SCHEDULE = "cron(30 4 * * ? *)"
CONSISTENCY = "crash"
"""Another than clusters.yaml has, and without a write stop, whose lead is a minute."""
BACKUP_WITHIN_S = 180.0
POLL_S = 1.0
NO_DIFFERENCES = "Number of stacks with differences: 0"
NO_CHANGES = "(no changes)"


def main() -> int:
    """Check one thing after the other → 0 only if all of them are as with AWS."""
    found: dict[str, str] = {}
    try:
        with _region() as (region, plane):
            tools = Tools.at(region, FOLDER)
            _deploy(region, tools, found)
            _change(region, tools, found)
            found["execution"] = _back_up(region, plane, tools)
    except CheckError as error:
        print(f"deploy-check: {error}", flush=True)
    names = ("bootstrap", "deploy", "diff", "redeploy", "update", "execution")
    print("deploy-check: " + " ".join(f"{name}={found.get(name, 'failed')}" for name in names), flush=True)
    return 0 if all(name in found for name in names) and found["execution"] == "SUCCEEDED" else 1


@contextmanager
def _region() -> Iterator[tuple[Region, LightPlane]]:
    """A region of our own with nothing in it; the one that was started by hand is somebody's."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    plane = LightPlane()
    region = Region(plane, pace=Pace(snapshot_pending_s=1.0, wait_scale=0.1))
    try:
        print(f"a region serves {region.start()}", flush=True)
        yield region, plane
    finally:
        region.stop()
        plane.close()


def _deploy(region: Region, tools: Tools, found: dict[str, str]) -> None:
    """Bootstrap and deploy from nothing; the region then holds it all, and nobody has anything to change."""
    tools.cdk("bootstrap", f"aws://{region.account}/{region.region}")
    found["bootstrap"] = "ok"
    first, second = (str(FOLDER / name) for name in ("first", "second"))
    tools.cdk("deploy", *NEVER_ASK, "--output", first)
    _expect_held(region, Path(first))
    found["deploy"] = "ok"
    _expect(NO_DIFFERENCES, tools.cdk("diff", "--fail", "--output", second))
    found["diff"] = "clean"
    words = tools.cdk("deploy", *NEVER_ASK, "--app", second)
    if words.count(NO_CHANGES) != len(STACKS):
        raise CheckError(f"a second deployment of the same changes something, in place of {NO_CHANGES}")
    found["redeploy"] = "unchanged"


def _change(region: Region, tools: Tools, found: dict[str, str]) -> None:
    """Deploy another clusters.yaml: schedule and parameter follow, and nothing else is left behind."""
    changed = FOLDER / "clusters.yaml"
    content = yaml.safe_load((ROOT / "clusters.yaml").read_text(encoding="utf-8"))
    content["clusters"][CLUSTER]["schedule"]["expression"] = SCHEDULE
    content["clusters"][CLUSTER]["consistency"] = CONSISTENCY
    changed.write_text(yaml.safe_dump(content), encoding="utf-8")
    app = shlex.join([sys.executable, "-m", "sandbox.deploy_check.changed_app", str(changed)])
    third = FOLDER / "third"
    tools.cdk("deploy", *NEVER_ASK, "--app", app, "--output", str(third))
    _expect_held(region, third)
    schedule = tools.aws("scheduler", "get-schedule", group_name="aerokeep", name=f"backup-{CLUSTER}")
    parameter = tools.aws("ssm", "get-parameter", name=f"/aerokeep/clusters/{CLUSTER}")["Parameter"]["Value"]
    _expect(SCHEDULE, schedule["ScheduleExpression"])
    _expect(CONSISTENCY, json.loads(parameter)["consistency"])
    found["update"] = "followed"


def _back_up(region: Region, plane: LightPlane, tools: Tools) -> str:
    """→ how a backup ends that the AWS CLI has started."""
    LightClusters(region, plane).launch(CLUSTER, tag=TAG)
    outputs = tools.aws("cloudformation", "describe-stacks", stack_name="AerokeepWorkflow")["Stacks"][0]["Outputs"]
    machine = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "BackupMachineArn")
    print(f"$ aws stepfunctions start-execution --state-machine-arn {machine}", flush=True)
    given = json.dumps({"cluster": CLUSTER})
    arn = tools.aws("stepfunctions", "start-execution", state_machine_arn=machine, input=given)["executionArn"]
    deadline = time.monotonic() + BACKUP_WITHIN_S
    while (told := tools.aws("stepfunctions", "describe-execution", execution_arn=arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    print(f"$ aws stepfunctions describe-execution\n    {_words(told)}", flush=True)
    return str(told["status"])


def _words(told: Any) -> str:  # noqa: ANN401  # an answer of the AWS CLI
    return " ".join(str(told[name]) for name in ("status", "error", "cause", "output") if name in told)


def _expect(wanted: str, told: str) -> None:
    if wanted not in told:
        raise CheckError(f"expected {wanted!r}")


def _expect_held(region: Region, assembly: Path) -> None:
    """The region holds every property of every resource of the templates that the CLI has deployed."""
    for stack in STACKS:
        template = json.loads((assembly / f"{stack}.template.json").read_text(encoding="utf-8"))
        if differences := region.compare(template, stack):
            raise CheckError(_listed(stack, differences))


def _listed(stack: str, differences: Sequence[object]) -> str:
    return f"{stack} is not what the region holds: " + "; ".join(str(difference) for difference in differences)


if __name__ == "__main__":
    sys.exit(main())
