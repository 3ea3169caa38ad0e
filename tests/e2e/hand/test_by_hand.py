"""A region by hand: up, looked at, called from another process, broken, ended; and nothing is left."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.leftovers.traces import TEST_MARK, clean, traces

pytestmark = pytest.mark.sampled

REPOSITORY = Path(__file__).parents[3]
LONGEST_S = 240.0
PLAN = """\
title: Volumes can't be described, once.
faults:
  - {kind: api, call: ec2.DescribeVolumes, answer: error, code: Oops}
"""
CALLER = """\
import boto3, botocore.exceptions
try:
    print(len(boto3.client("ec2").describe_volumes()["Volumes"]))
except botocore.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""


@dataclass(frozen=True)
class Terminal:
    """Somebody's terminal, with runtime and temporary folders of its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
        told = {"TMPDIR": str(self.folder / "tmp"), "XDG_RUNTIME_DIR": str(self.folder / "run")}
        return {**kept, **told, TEST_MARK: str(self.folder / "tmp")}

    def sandbox(self, *argv: str) -> tuple[int, str]:
        """Run ``python -m sandbox`` → exit code and all that it said."""
        return self.run([sys.executable, "-m", "sandbox", *argv])

    def run(self, argv: list[str], **environment: str) -> tuple[int, str]:
        """Run a program → exit code and all that it said."""
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_S,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def left(self, pid: int) -> list[str]:
        """What is there of a region."""
        found = traces(pid=pid, temporary=self.folder / "tmp")
        return [*found, *(f"state {path}" for path in (self.folder / "run").iterdir())]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory(prefix="aerokeep-hand-") as folder:
        made = Terminal(Path(folder))
        for name in ("tmp", "run"):
            (made.folder / name).mkdir()
        yield made
        made.sandbox("down")
        clean(made.folder / "tmp")


def exported(said: str) -> dict[str, str]:
    return dict(re.findall(r"^export (\w+)=(\S+)$", said, re.MULTILINE))


def pid_of(said: str) -> int:
    found = re.search(r"process (\d+)", said)
    assert found, said
    return int(found[1])


def test_a_region_is_started_called_broken_and_ended(terminal: Terminal) -> None:
    code, said = terminal.sandbox("up", "--mode", "light", "--no-deploy", "--cluster")
    assert code == 0, said
    pid, environment = pid_of(said), exported(said)
    assert terminal.left(pid), "the checker must see a living region"
    call = [sys.executable, "-c", CALLER]
    assert int(terminal.run(call, **environment)[1]) >= 9, "three nodes with a root and two volumes each"

    code, again = terminal.sandbox("up", "--mode", "light", "--no-deploy")
    assert (code, pid_of(again)) == (1, pid)
    assert "one runs already" in again

    plan = terminal.folder / "plan.yaml"
    plan.write_text(PLAN)
    code, told = terminal.sandbox("inject", str(plan))
    assert (code, told) == (0, "armed: Volumes can't be described, once.\n  fault 1: error ec2.DescribeVolumes\n")
    assert terminal.run(call, **environment)[1].strip() == "Oops"

    code, told = terminal.sandbox("status")
    assert code == 0, told
    assert told.count(" running power=on agent=answers") == 3
    assert re.search(
        r"fault 1 \(error ec2.DescribeVolumes\) struck at \+[\d.]+ s: ec2.DescribeVolumes by operator", told
    )

    assert terminal.sandbox("down")[0] == 0
    assert terminal.left(pid) == []
    assert terminal.sandbox("down") == (0, "nothing runs\n")


def test_a_wrong_plan_is_refused_with_its_mistakes_and_arms_nothing(terminal: Terminal) -> None:
    assert terminal.sandbox("inject", "docs/faults/lost-answer.yaml")[1].startswith(
        "sandbox: no region runs; start one"
    )
    code, said = terminal.sandbox("up", "--mode", "directory", "--no-deploy")
    assert code == 0, said
    plan = terminal.folder / "plan.yaml"
    plan.write_text(PLAN.replace("Volumes,", "Volume,"))
    code, told = terminal.sandbox("inject", str(plan))
    assert code == 1
    assert "plan.yaml:3: faults.0.call: 'ec2.DescribeVolume' is no API; did you mean ec2.DescribeVolumes?" in told
    plan.write_text("title: full\nfaults: [{kind: node, act: disk_full, node: 1, at: {after_s: 0}}]\n")
    code, told = terminal.sandbox("inject", str(plan))
    assert code == 1
    assert "fault 1 (disk_full of node 1) is refused: in directory mode" in told
    assert "fault plans:\n  none" in terminal.sandbox("status")[1]
    assert terminal.sandbox("inject", str(terminal.folder / "none.yaml"))[0] == 1
    assert terminal.sandbox("down")[0] == 0
    assert terminal.left(pid_of(said)) == []


def test_nobody_without_the_token_is_answered(terminal: Terminal) -> None:
    code, said = terminal.sandbox("up", "--mode", "light", "--no-deploy")
    assert code == 0, said
    state = terminal.folder / "run/aerokeep/region.json"
    assert state.stat().st_mode & 0o777 == 0o600
    text = state.read_text()
    state.write_text(re.sub(r'"token": "\w+"', '"token": "guessed"', text))
    assert "this is not the token of this region" in terminal.sandbox("status")[1]
    state.write_text(text)
    assert terminal.sandbox("status")[0] == 0


def test_a_killed_region_is_seen_to_be_dead_and_put_away(terminal: Terminal) -> None:
    code, said = terminal.sandbox("up", "--mode", "directory", "--no-deploy")
    assert code == 0, said
    os.kill(pid_of(said), signal.SIGKILL)
    code, told = terminal.sandbox("status")
    assert code == 1
    assert "has been killed" in told
    assert terminal.sandbox("down")[0] == 0
    assert terminal.left(pid_of(said)) == []


def test_a_region_that_can_not_come_up_says_why_and_leaves_nothing(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, said = terminal.sandbox("up", "--mode", "light", "--no-deploy", "--port", str(taken.getsockname()[1]))
    assert code == 1
    assert "the region did not come up" in said
    assert "in use" in said
    assert "is no port" in terminal.sandbox("up", "--port", "1000000")[1]
    assert list((terminal.folder / "run").iterdir()) == list((terminal.folder / "tmp").iterdir()) == []


@pytest.mark.sampled
def test_what_is_deployed_can_be_started_and_is_shown(terminal: Terminal) -> None:
    if not (REPOSITORY / "cdk.out/manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    code, said = terminal.sandbox("up", "--mode", "light", "--cluster")
    assert code == 0, said
    environment = exported(said)
    aws = [sys.executable, "-m", "awscli", "stepfunctions"]
    query = "stateMachines[?name=='aerokeep-protect'].stateMachineArn | [0]"
    arn = terminal.run([*aws, "list-state-machines", "--query", query, "--output", "text"], **environment)[1].strip()
    start = [*aws, "start-execution", "--state-machine-arn", arn, "--input", '{"cluster": "demo"}']
    code, told = terminal.run(start, **environment)
    assert code == 0, told
    told = terminal.sandbox("status")[1]
    assert "AerokeepWorkflow CREATE_COMPLETE" in told, told
    assert re.search(r"aerokeep-protect: (RUNNING|SUCCEEDED)", told), told
    assert terminal.sandbox("down")[0] == 0
    assert terminal.left(pid_of(said)) == []
