"""Each state machine against the linters, the conventions, and the spellings that hold the project together."""

import copy
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aerokeep.model import errors
from statelint.config import Config as LintConfig
from statelint.linter import Linter

from infra.config import (
    LONGEST_JOIN_S,
    LONGEST_PART_OF_A_RESTORE_S,
    LONGEST_PATIENCE_S,
    LONGEST_SNAPSHOT_DEADLINE_S,
    LONGEST_TRANSFER_S,
)
from infra.journeys import JOURNEYS, construct_id, package_of
from infra.step_function import module_of
from tests.infra import asl
from tests.infra.synthesis import Synthesis

ROOT = Path(__file__).resolve().parents[2]
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.json"))
# statelint 3.1.0 wants an integer in Wait.Seconds, also where JSONata gives it.
FALSE_POSITIVE = re.compile(r"\.Seconds is \"\{%.*%\}\" but should be an Integer")

Definition = dict[str, Any]
HOLDING = {"backup", "restore", "replace-node", "export", "import"}
"""Journeys that hold a cluster; the others hold nothing that would have to be let go."""
every_machine = pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
every_journey = pytest.mark.parametrize("journey", JOURNEYS)


def read(path: Path) -> Definition:
    definition: Definition = json.loads(path.read_text(encoding="utf-8"))
    return definition


def machine_of(journey: str) -> Definition:
    return read(ROOT / "statemachines" / f"{journey}.asl.json")


def lint(definition: Definition) -> list[str]:
    findings = Linter.validate(definition, LintConfig(evaluate_jsonata=True))
    return [finding for finding in findings if not FALSE_POSITIVE.search(finding)]


@pytest.fixture
def backup() -> Definition:
    return read(ROOT / "statemachines" / "backup.asl.json")


def timeouts_s(synthesis: Synthesis, journey: str) -> dict[str, int]:
    return {state: function["Properties"]["Timeout"] for state, function in synthesis.step_functions(journey).items()}


@every_machine
def test_statelint_finds_nothing(path: Path) -> None:
    assert lint(read(path)) == []


@every_machine
def test_every_sdk_action_exists(path: Path) -> None:
    assert asl.sdk_findings(read(path)) == []


@every_machine
def test_retries_are_for_what_passes_and_never_in_the_write_stop(path: Path) -> None:
    assert asl.retry_findings(read(path)) == []


@pytest.mark.parametrize("journey", sorted(HOLDING & set(JOURNEYS)))
def test_every_failure_leads_into_the_clean_up(journey: str) -> None:
    assert asl.catch_findings(machine_of(journey)) == []


@every_machine
def test_every_error_name_of_ours_is_a_class(path: Path) -> None:
    classes = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    assert asl.error_names(read(path)) <= classes


def test_every_machine_is_deployed_and_every_journey_has_one() -> None:
    assert {path.name.removesuffix(".asl.json") for path in MACHINES} == set(JOURNEYS)


@every_journey
def test_every_task_outlasts_its_function(synthesis: Synthesis, journey: str) -> None:
    assert asl.timeout_findings(machine_of(journey), timeouts_s(synthesis, journey)) == []


def test_the_machine_outlasts_the_longest_wait_for_snapshots_that_clusters_yaml_allows(backup: Definition) -> None:
    assert backup["TimeoutSeconds"] >= LONGEST_SNAPSHOT_DEADLINE_S + 3600


def test_the_machine_outlasts_a_restore_whose_way_there_and_back_are_as_long_as_clusters_yaml_allows() -> None:
    assert machine_of("restore")["TimeoutSeconds"] >= 4 * LONGEST_PART_OF_A_RESTORE_S + 3 * 3600


def test_the_machine_outlasts_a_replacement_in_which_everything_takes_as_long_as_clusters_yaml_allows() -> None:
    longest_s = 2 * LONGEST_JOIN_S + 10 * LONGEST_PATIENCE_S
    assert machine_of("replace-node")["TimeoutSeconds"] >= longest_s


def test_the_machine_outlasts_an_export_whose_estimate_and_verification_take_as_long_as_itself() -> None:
    assert machine_of("export")["TimeoutSeconds"] >= 3 * LONGEST_TRANSFER_S + 3600


def test_the_machine_outlasts_an_import_that_takes_as_long_as_clusters_yaml_allows() -> None:
    assert machine_of("import")["TimeoutSeconds"] >= LONGEST_TRANSFER_S + 3600


@every_journey
def test_state_module_substitution_and_construct_are_spelt_alike(synthesis: Synthesis, journey: str) -> None:
    declared = {step.state for step in JOURNEYS[journey]}
    called = {name: s["Arguments"]["FunctionName"] for name, s in asl.lambda_states(machine_of(journey)).items()}
    assert called == {name: f"${{{name}}}" for name in declared}
    assert set(synthesis.step_functions(journey)) == declared
    package = package_of(journey)
    modules = {path.stem for path in (ROOT / "functions/aerokeep/steps" / package).glob("*.py")} - {"__init__"}
    assert {f"aerokeep.steps.{package}.{module}" for module in modules} == {module_of(journey, s) for s in declared}
    functions = synthesis.resources("AerokeepWorkflow", "AWS::Lambda::Function")
    ours = {n for n, f in functions.items() if f["Properties"]["Handler"].startswith(f"aerokeep.steps.{package}.")}
    assert {name.partition("Function")[0] for name in ours} == {f"{construct_id(journey)}{s}" for s in declared}


def _state(definition: Definition, name: str) -> Definition:
    state: Definition = definition["States"][name]
    return state


def _dangling_next(definition: Definition) -> None:
    _state(definition, "PlanBackup")["Next"] = "StopWrite"


def _no_such_action(definition: Definition) -> None:
    _state(definition, "PlanBackup")["Resource"] = "arn:aws:states:::aws-sdk:ec2:createSnapshotSet"


def _retry_in_the_write_stop(definition: Definition) -> None:
    _state(definition, "StopWrites")["Retry"] = _state(definition, "PlanBackup")["Retry"]


def _retry_of_everything(definition: Definition) -> None:
    _state(definition, "PlanBackup")["Retry"][0]["ErrorEquals"] = ["States.ALL"]


def _no_catch(definition: Definition) -> None:
    del _state(definition, "CutSnapshots")["Catch"]


def _catch_past_the_clean_up(definition: Definition) -> None:
    _state(definition, "CutSnapshots")["Catch"][0]["Next"] = "BackupFailed"


def _clean_up_that_succeeds(definition: Definition) -> None:
    _state(definition, "AbandonPoint")["Next"] = "PointCommitted"


def _impatient_state(definition: Definition) -> None:
    _state(definition, "CutSnapshots")["TimeoutSeconds"] = 210


def _endless_machine(definition: Definition) -> None:
    del definition["TimeoutSeconds"]


@pytest.mark.parametrize(
    ("spoil", "find"),
    [
        (_dangling_next, lint),
        (_no_such_action, asl.sdk_findings),
        (_retry_in_the_write_stop, asl.retry_findings),
        (_retry_of_everything, asl.retry_findings),
        (_no_catch, asl.catch_findings),
        (_catch_past_the_clean_up, asl.catch_findings),
        (_clean_up_that_succeeds, asl.catch_findings),
    ],
)
def test_a_spoilt_machine_is_noticed(
    backup: Definition, spoil: Callable[[Definition], None], find: Callable[[Definition], list[str]]
) -> None:
    spoilt = copy.deepcopy(backup)
    spoil(spoilt)
    assert find(spoilt)


@pytest.mark.parametrize("spoil", [_impatient_state, _endless_machine])
def test_a_missing_timeout_is_noticed(
    backup: Definition, spoil: Callable[[Definition], None], synthesis: Synthesis
) -> None:
    spoilt = copy.deepcopy(backup)
    spoil(spoilt)
    assert asl.timeout_findings(spoilt, timeouts_s(synthesis, "backup"))
