"""Shell that we ship or run is checked by shellcheck."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build_products import BuildProducts

SHELLCHECK = Path(sys.executable).parent / "shellcheck"


def complaints(script: str) -> str:
    """Findings, read as the agent runs it: by sh, unless the script names another."""
    dialect = [] if script.startswith("#!") else ["--shell=sh"]
    checked = subprocess.run(
        [SHELLCHECK, *dialect, "--format=gcc", "-"], input=script, capture_output=True, text=True, check=False
    )
    return checked.stdout + checked.stderr


def test_documents_hold_shell_without_findings(products: BuildProducts) -> None:
    for path in products.documents:
        for step in json.loads(path.read_text(encoding="utf-8"))["mainSteps"]:
            assert complaints("\n".join(step["inputs"]["runCommand"])) == "", path.name


@pytest.mark.parametrize("name", [".ci/run", ".ci/system-packages"])
def test_ci_scripts_have_no_findings(root: Path, name: str) -> None:
    assert complaints((root / name).read_text(encoding="utf-8")) == ""


def test_a_finding_would_be_seen() -> None:
    assert "SC2086" in complaints('x="a b"; rm $x')
