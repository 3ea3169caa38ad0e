"""A wrong fault plan is refused with line, field and remedy, all mistakes at once."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.faults.kinds import NodeFault
from sandbox.faults.known import states
from sandbox.faults.plan import Plan
from sandbox.faults.plan_file import KINDS, PlanError, plan_of, read_plan
from sandbox.faults.planes import RefusedFaultError, check
from sandbox.faults.tally import Tally

PLANS = sorted((Path(__file__).parents[2] / "docs/faults").glob("*.yaml"))
CUT = "{kind: api, call: ec2.CreateSnapshots, answer: lost}"


def plan(*faults: str, **more: str) -> Plan:
    lines = ["title: a test", "faults:", *(f"  - {fault}" for fault in faults)]
    return plan_of("\n".join([*lines, *(f"{name}: {value}" for name, value in more.items())]))


def refusal(text: str) -> list[str]:
    """The lines of the refusal: the plan's name first, then a mistake each."""
    with pytest.raises(PlanError) as refused:
        plan_of(dedent(text), name="x.yaml")
    return [line.strip() for line in str(refused.value).splitlines()]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_of_the_documentation_is_right_and_says_which_ends_are_honest(path: Path) -> None:
    found = read_plan(path)
    assert found.expect
    assert found.why
    assert all(expected.outcome != "cluster" or len(found.expect) == 1 for expected in found.expect)


def test_every_example_of_the_documentation_is_right_and_every_kind_has_one() -> None:
    text = (PLANS[0].parents[1] / "faults.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    examples = [block for block in blocks if block.startswith("- {kind")]
    shown = [fault.kind for block in examples for fault in plan_of(f"title: x\nfaults:\n{block}").faults]
    assert set(shown) == set(KINDS)
    assert set(re.findall(r"\(faults/([a-z-]+)\.yaml\)", text)) == {path.stem for path in PLANS}


def test_there_are_at_least_five_plans_with_ends_of_every_sort() -> None:
    ends = {expected.outcome for path in PLANS for expected in read_plan(path).expect}
    assert len(PLANS) >= 5
    assert ends >= {"aborted", "cluster", "node", "crash"}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "{kind: api, call: ec2.CreateSnapshts, answer: lost}",
            "call: 'ec2.CreateSnapshts' is no API; did you mean e",
        ),
        ("{kind: api, call: CreateSnapshots, answer: lost}", "call: 'CreateSnapshots' is no API; write service.Action"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: gone}", "answer: 'gone' is not one of the choices; write 'er"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: error}", "answer: error needs a code"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: slow}", "answer: slow needs slow_s"),
        ("{kind: api, call: ec2.CreateSnapshots}", "faults.0.answer: is missing; add it"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: lost, nod: 2}", "nod: is not known; did you mean node?"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: lost, nth: 0}", "nth: 0 is too small; write 1 or more"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: lost, nth: 1, first: 2}", "nth and first exclude each other"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: lost, probability: 2}", "2 is too large; write 1.0 or less"),
        ("{kind: api, call: ec2.CreateSnapshots, answer: lost, state: StopWrits}", "did you mean StopWrites?"),
        ("{kind: command, document: stop-write, fate: lost}", "'stop-write' is no document of the host program; write"),
        ("{kind: command, document: survey, fate: late}", "fate: late needs late_s"),
        (
            "{kind: event, source: aws.states, fate: lost, late_s: 1}",
            "no other fate has it; add late_s, or",
        ),
        ("{kind: agent, node: [2]}", "node: [2] is no node; write its number (from 1), address, instance id or name"),
        ("{kind: agent, node: 0}", "node: 0 is no node; write its number (from 1)"),
        ("{kind: agent, node: 2, at: {}}", "at: names no moment, or several; write one of state, call, document or"),
        ("{kind: agent, node: 2, at: {after_s: 1, state: StopWrites}}", "at: names no moment, or several"),
        ("{kind: agent, node: 2, at: {after_s: 1, phase: ended}}", "node and phase tell which document"),
        ("{kind: snapshot, fate: slow}", "fate: slow needs pending_s"),
        (
            "{kind: kms, breaks: call, node: 2}",
            "node says whose snapshots break; take it out, or write",
        ),
        ("{kind: node, act: power_loss, node: 2}", "faults.0.at: is missing; add it"),
        ("{kind: node, act: power_loss, node: 2, at: {after_s: 1}, step_s: 3}", "step_s belongs to act: clock_step"),
        ("{kind: node, act: clock_step, node: 2, at: {after_s: 1}}", "clock_step changes nothing; write step_s, err"),
        ("{kind: node, act: disk_full, node: 2, at: {after_s: 1}, path: data}", "path: 'data' does not fit"),
        ("{kind: lambda, state: WaitForSurveys, killed: after}", "'WaitForSurveys' is no state that runs a Lambda"),
        ("{kind: lambda, state: backup.StopWrites, killed: twice}", "killed: 'twice' is not one of the choices"),
        ("{kind: earthquake}", "faults.0: 'earthquake' is no kind of fault; write one of api, command, agent"),
        ("{act: power_loss}", "faults.0: has no kind; add kind: and one of api, command"),
        ("power_loss", "faults.0: "),
    ],
)
def test_each_mistake_is_told_with_its_line_its_field_and_what_to_write(fault: str, said: str) -> None:
    title, *mistakes = refusal(f"title: x\nfaults:\n  - {fault}\n")
    assert title == "x.yaml: 1 mistake"
    assert mistakes[0].startswith("x.yaml:3: faults.0")
    assert said in mistakes[0]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    told = refusal(
        """\
        titel: x
        faults: []
        settings: {consistency: perfect}
        expect: [{outcome: node, code: x}]
        """
    )
    assert [line.partition(": ")[0] for line in told] == ["x.yaml", *(f"x.yaml:{line}" for line in (1, 1, 2, 3, 4))]
    assert any("did you mean title?" in line for line in told)
    assert any("expect.0: code tells why a run was aborted" in line for line in told)


def test_what_is_no_yaml_or_says_a_thing_twice_is_told_with_its_line() -> None:
    assert "x.yaml:2: is not YAML" in refusal("title: x\nfaults: [\n")[1] + refusal("title: x\nfaults: ]\n")[1]
    assert (
        "title: stands already in line 1; remove one of the two" in refusal(f"title: x\ntitle: y\nfaults: [{CUT}]\n")[1]
    )


def test_a_plan_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"none\.yaml.* cannot be read .*docs/faults"):
        read_plan(tmp_path / "none.yaml")


def test_an_api_may_be_named_as_boto3_or_as_its_signature_names_it() -> None:
    for name in ("states.StartExecution", "stepfunctions.StartExecution", "monitoring.PutMetricData"):
        plan(f"{{kind: api, call: {name}, answer: throttle}}")


def test_every_state_that_runs_a_lambda_has_the_handler_of_a_step_that_exists() -> None:
    functions = Path(__file__).parents[2] / "functions"
    assert len(states()) > 50
    for state in states():
        module = functions / (state.handler.removesuffix(".handler").replace(".", "/") + ".py")
        assert module.exists(), state


def strikes(fault: str, times: int) -> list[int]:
    """Which of so many are struck, from 1."""
    tally = Tally(1, plan(fault).faults[0])
    return [number for number in range(1, times + 1) if tally.due(str(number))]


@pytest.mark.parametrize(
    ("how", "struck"),
    [("", [1]), (", nth: 3", [3]), (", first: 2", [1, 2]), (", every: true", [1, 2, 3, 4, 5])],
)
def test_a_fault_strikes_as_often_as_it_is_told(how: str, struck: list[int]) -> None:
    assert strikes(CUT[:-1] + how + "}", 5) == struck


def test_chance_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    seeds = [strikes(f"{CUT[:-1]}, probability: 0.3, seed: {seed}}}", 200) for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]
    assert 30 < len(seeds[0]) < 90


def test_a_fault_that_never_struck_says_so() -> None:
    tally = Tally(2, plan(CUT).faults[0])
    assert tally.lines == ("fault 2 (lost ec2.CreateSnapshots) never struck",)
    tally.due("one call")
    assert "fault 2 (lost ec2.CreateSnapshots) struck at +0.00 s: one call" in tally.lines[0]


class Folders:
    """A plane whose nodes have no disks of their own."""

    mode = "directory"


class Unknown:
    """A plane of a test."""


def test_what_a_plane_cannot_do_is_refused_by_name() -> None:
    full = plan(CUT, "{kind: node, act: disk_full, node: 2, at: {after_s: 1}}")
    with pytest.raises(RefusedFaultError, match=r"fault 2 \(disk_full of node 2\) is refused: in directory mode"):
        check(full, Folders())
    crash = plan("{kind: node, act: asd_crash, node: 2, at: {after_s: 1}}")
    with pytest.raises(RefusedFaultError, match=r"fault 1 \(asd_crash of node 2\) is refused: the data plane unknown"):
        check(crash, Unknown())
    check(plan("{kind: node, act: power_loss, node: 2, at: {after_s: 1}}"), Unknown())


def test_a_plan_may_be_made_in_python_too() -> None:
    made = Plan.model_validate(
        {"title": "x", "faults": [{"kind": "node", "act": "power_loss", "node": 1, "at": {"state": "StopWrites"}}]}
    )
    assert isinstance(made.faults[0], NodeFault)
    assert made.faults[0].at.state == "StopWrites"
