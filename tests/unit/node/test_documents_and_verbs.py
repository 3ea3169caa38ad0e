"""The verbs table, the documents made of it, and patterns that let nothing through to a shell."""

import ast
import hashlib
import importlib.util
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from aerokeep_node.entry import RUNNERS
from aerokeep_node.refusal import BadParameterError, RefusalError
from aerokeep_node.verbs import VERBS, read_parameters
from hypothesis import given
from hypothesis import strategies as st

NODE = Path(__file__).resolve().parents[3] / "node"
GOOD = {
    "Run": "demo-20260101t000000z",
    "Token": "0" * 32,
    "StartAt": "1700000000.123",
    "EndAt": "1700000005.123",
    "Namespaces": "test,raw_1",
    "Freeze": "/data,/mnt/aerospike-1",
    "LetGo": "https://bucket.s3.eu-central-1.amazonaws.com/runs/x?X-Amz-Signature=a%2Fb&X-Amz-Expires=300",
    "Tombstone": "yes",
    "Unmount": "/data",
    "Mode": "normal",
    "Spec": "https://bucket.s3.eu-central-1.amazonaws.com/runs/x?X-Amz-Signature=a%2Fb&X-Amz-Expires=300",
    "Uploads": "https://bucket.s3.eu-central-1.amazonaws.com/runs/x?X-Amz-Signature=a%2Fb&X-Amz-Expires=300",
}


def the_packer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("aerokeep_pack", NODE / "pack.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PACK = the_packer()
PROGRAMS = {verb.name: PACK.pack_program(verb) for verb in VERBS.values()}
PARAMETERS = [parameter for verb in VERBS.values() for parameter in verb.parameters]


def test_every_verb_of_the_table_has_a_runner_and_a_document() -> None:
    assert set(RUNNERS) == set(VERBS)
    for verb in VERBS.values():
        document = PACK.document(verb, PROGRAMS[verb.name])
        assert document["schemaVersion"] == "2.2"
        assert set(document.get("parameters", {})) == {parameter.name for parameter in verb.parameters}
        for parameter in document.get("parameters", {}).values():
            assert parameter["type"] == "String"
            assert parameter["interpolationType"] == "ENV_VAR"
            assert parameter["allowedPattern"].startswith("^")
            assert parameter["allowedPattern"].endswith("$")
        assert [step["action"] for step in document["mainSteps"]] == ["aws:runShellScript"]
        assert document["mainSteps"][0]["inputs"]["timeoutSeconds"] == str(verb.timeout_s)


def test_no_document_splices_a_parameter_into_its_shell() -> None:
    for verb in VERBS.values():
        assert "{{" not in json.dumps(PACK.document(verb, PROGRAMS[verb.name]))


def test_every_document_fits_ssm() -> None:
    for verb in VERBS.values():
        assert len(PACK.encode_program(PROGRAMS[verb.name])) <= PACK.LARGEST_BASE64_BYTES
        document = json.dumps(PACK.document(verb, PROGRAMS[verb.name]), indent=1)
        assert len(document) < PACK.LARGEST_DOCUMENT_BYTES


def test_packing_twice_gives_the_same_bytes() -> None:
    other = the_packer()
    for verb in VERBS.values():
        again = other.pack_program(verb)
        assert hashlib.sha256(again).digest() == hashlib.sha256(PROGRAMS[verb.name]).digest()
        assert other.encode_program(again) == PACK.encode_program(PROGRAMS[verb.name])


def names_in(verb: str) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(PROGRAMS[verb])).namelist())


def test_every_module_is_carried_by_a_document_and_nothing_else_is() -> None:
    modules = {path.relative_to(NODE).as_posix() for path in (NODE / "aerokeep_node").rglob("*.py")}
    carried = set().union(*(names_in(verb) for verb in VERBS))
    assert carried == (modules - {"aerokeep_node/__main__.py"}) | {"__main__.py"}
    for program in PROGRAMS.values():
        names = zipfile.ZipFile(io.BytesIO(program)).namelist()
        assert names == sorted(names)


def test_a_document_carries_what_its_verb_needs_and_no_other_verb() -> None:
    assert "aerokeep_node/survey.py" in names_in("survey")
    assert "aerokeep_node/formats/__init__.py" in names_in("survey")
    assert not names_in("survey") & {"aerokeep_node/capture.py", "aerokeep_node/stop_writes.py"}
    for verb in ("stop-writes", "resume-writes"):
        assert {"aerokeep_node/resident.py", "aerokeep_node/lease.py"} <= names_in(verb), "it can undo a lease"


@pytest.mark.parametrize("verb", VERBS)
def test_a_program_imports_nothing_that_its_document_lacks(verb: str, tmp_path: Path) -> None:
    program = tmp_path / "program.pyz"
    program.write_bytes(PROGRAMS[verb])
    modules = [name[:-3].replace("/", ".") for name in names_in(verb) if name != "__main__.py"]
    lines = [f"import {module.removesuffix('.__init__')}" for module in sorted(modules)]
    code = f"import sys; sys.path.insert(0, {str(program)!r})\n" + "\n".join(lines)
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_the_shell_of_every_document_is_clean() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    for verb in VERBS.values():
        script = PACK.script(verb, PROGRAMS[verb.name])
        done = subprocess.run(
            [str(shellcheck), "--shell=sh", "--severity=style", "-"],
            input=script.encode(), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode()


def test_good_values_pass_and_come_back_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(f"SSM_{name}", value)
    for verb in VERBS.values():
        assert read_parameters(verb) == {parameter.name: GOOD[parameter.name] for parameter in verb.parameters}


def test_an_unset_variable_is_an_old_agent_and_never_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(f"SSM_{name}", raising=False)
    with pytest.raises(RefusalError, match="agent_too_old"):
        read_parameters(VERBS["stop-writes"])


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: str(parameter.name))
@pytest.mark.parametrize(
    "attack", ["$(id)", "`id`", ";id", "|id", "\nid", "'", '"', " ", "\\", "<", ">", "*", "{{x}}", "\0"]
)
def test_patterns_refuse_what_a_shell_could_take_for_more(parameter: object, attack: str) -> None:
    name, pattern = getattr(parameter, "name"), getattr(parameter, "pattern")  # noqa: B009 - a table of dataclasses
    for value in (attack, GOOD[name] + attack, attack + GOOD[name]):
        assert not re.fullmatch(pattern, value)


@given(st.text())
def test_a_trailing_newline_never_passes(noise: str) -> None:
    for parameter in PARAMETERS:
        assert not re.fullmatch(parameter.pattern, noise + "\n")


def test_a_bad_value_is_told_with_its_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSM_Run", "../etc")
    monkeypatch.setenv("SSM_Tombstone", "no")
    with pytest.raises(BadParameterError, match="Run"):
        read_parameters(VERBS["resume-writes"])


def test_patterns_stay_in_what_java_and_go_share() -> None:
    for parameter in PARAMETERS:
        assert not re.search(r"\(\?|\\[a-zA-Z0-9]|\+\+|\*\+|\?\+", parameter.pattern)
        assert all(int(count) <= 1000 for count in re.findall(r"\{\d*,?(\d+)\}", parameter.pattern))


def test_the_program_compiles_for_python_3_7() -> None:
    for path in (NODE / "aerokeep_node").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 7))
