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
    "Tombstone": "yes",
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
PROGRAM = PACK.pack_program()
PARAMETERS = [parameter for verb in VERBS.values() for parameter in verb.parameters]


def test_every_verb_of_the_table_has_a_runner_and_a_document() -> None:
    assert set(RUNNERS) == set(VERBS)
    for verb in VERBS.values():
        document = PACK.document(verb, PROGRAM)
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
        assert "{{" not in json.dumps(PACK.document(verb, PROGRAM))


def test_every_document_fits_ssm() -> None:
    assert len(PACK.encode_program(PROGRAM)) <= PACK.LARGEST_BASE64_BYTES
    for verb in VERBS.values():
        assert len(json.dumps(PACK.document(verb, PROGRAM), indent=1)) < PACK.LARGEST_DOCUMENT_BYTES


def test_packing_twice_gives_the_same_bytes() -> None:
    again = the_packer().pack_program()
    assert hashlib.sha256(again).digest() == hashlib.sha256(PROGRAM).digest()
    assert the_packer().encode_program(again) == PACK.encode_program(PROGRAM)


def test_the_program_holds_every_module_and_nothing_else() -> None:
    names = zipfile.ZipFile(io.BytesIO(PROGRAM)).namelist()
    modules = {path.relative_to(NODE).as_posix() for path in (NODE / "aerokeep_node").rglob("*.py")}
    assert set(names) == (modules - {"aerokeep_node/__main__.py"}) | {"__main__.py"}
    assert names == sorted(names)


def test_the_shell_of_every_document_is_clean() -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    for verb in VERBS.values():
        script = PACK.script(verb, PROGRAM)
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
