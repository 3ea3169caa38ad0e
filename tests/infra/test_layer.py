"""The layer for Lambda and its twin for this machine hold what the one lock says."""

import re
from importlib.metadata import distributions
from pathlib import Path

import pytest


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(root: Path) -> dict[str, str]:
    text = (root / "functions" / "requirements.txt").read_text(encoding="utf-8")
    return {canonical(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}


def installed(root: Path, name: str) -> dict[str, str]:
    folder = root / "build" / name / "python"
    if not folder.is_dir():
        pytest.skip(f"build/{name} is not built; run: make layer")
    return {canonical(found.name): found.version for found in distributions(path=[str(folder)])}


@pytest.mark.parametrize("name", ["layer", "layer-local"])
def test_versions_are_those_of_the_lock(root: Path, name: str) -> None:
    assert installed(root, name) == locked(root)


def test_the_layer_is_for_the_python_and_processor_of_lambda(root: Path) -> None:
    assert installed(root, "layer")
    natives = [path.name for path in (root / "build" / "layer").rglob("*.so")]
    assert natives
    assert all(name.endswith(".cpython-314-aarch64-linux-gnu.so") for name in natives)


def test_the_layer_holds_nothing_that_depends_on_who_built_it(root: Path) -> None:
    assert installed(root, "layer")
    layer = root / "build" / "layer"
    assert not [path for path in layer.rglob("*") if path.name in {"__pycache__", "bin", "RECORD", "REQUESTED"}]
    told = [path for path in layer.rglob("*.dist-info/*") if path.is_file()]
    assert not [path for path in told if str(root).encode() in path.read_bytes()]
