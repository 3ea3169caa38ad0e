"""Put a mutant in the product's place: packed from a copy in a folder of its own, and uploaded as a release is."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.witness.lane import Lane
from tests.witness.site import Site

REPOSITORY = Path(__file__).resolve().parents[2]
MUTANTS = Path(__file__).with_name("mutants")
BUILD = REPOSITORY / "build/witness"
DOCUMENT = "aerokeep-stop-writes"
"""The resident runs from the program that stop-writes came with."""
STEP_MUTANTS = {
    "aerokeep/rules/consistency.py": "own_cut",
    "aerokeep/steps/backup/cut_snapshots.py": "late_third",
}
MUTATED_STEPS = ("aerokeep.steps.backup.resume_writes.handler", "aerokeep.steps.backup.cut_snapshots.handler")
HOST_MUTANTS = ("no_guard", "one_unguarded", "no_flush", "no_freeze", "early_thaw")
MARKER = "run/aerokeep-mutant"
HERE, THERE = "tests.witness.mutants", "aerokeep_node.mutants"
_PACK = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import pack
verb = pack.VERBS["stop-writes"]
print(json.dumps(pack.document(verb, pack.pack_program(verb))))
"""
_CHOSEN = """\
import os

try:
    with open(os.path.join(os.environ.get("AEROKEEP_ROOT", "/"), "{marker}")) as file:
        name = file.read().strip()
except OSError:
    name = ""
"""


def host_document(*, under: Path = BUILD) -> str:
    """Pack the host program with all mutants in it → the content of the document that carries it.

    Which mutant a node is, a file on it says; without one it is as shipped.
    """
    node = under / str(os.getpid()) / "node"
    shutil.rmtree(node.parent, ignore_errors=True)
    shutil.copytree(REPOSITORY / "node", node, ignore=shutil.ignore_patterns("__pycache__"))
    package = node / "aerokeep_node"
    (package / "mutants").mkdir()
    (package / "mutants/__init__.py").write_text("")
    for source in ("forging", *HOST_MUTANTS):
        text = (MUTANTS / f"{source}.py").read_text().replace(HERE, THERE)
        (package / f"mutants/{source}.py").write_text(text)
    (package / "mutants/chosen.py").write_text(_chosen())
    with (package / "lease.py").open("a") as lease:
        lease.write(f"\nfrom {THERE} import chosen\n")
    packed = subprocess.run([sys.executable, "-c", _PACK, str(node)], capture_output=True, text=True, check=False)
    shutil.rmtree(node.parent)
    if packed.returncode != 0:
        raise RuntimeError(f"the mutants can't be packed: {packed.stderr[-1000:]}")
    return packed.stdout


def _chosen() -> str:
    """The module that turns the program into the mutant which its node is; imports that the packer can see."""
    cases = "".join(f"if name == {name!r}:\n    from {THERE} import {name}\n" for name in HOST_MUTANTS)
    return _CHOSEN.format(marker=MARKER) + cases


@contextmanager
def mutants_on_hosts(site: Site) -> Iterator[None]:
    """Let nodes be mutants within the block."""
    ssm = site.region.client("ssm")
    content = json.loads(host_document())
    content["description"] += f" (mutants, {uuid4().hex})"  # the same content twice is refused
    honest = ssm.describe_document(Name=DOCUMENT)["Document"]["DefaultVersion"]
    told = ssm.update_document(
        Name=DOCUMENT, Content=json.dumps(content), DocumentVersion="$LATEST", DocumentFormat="JSON"
    )
    mutants = told["DocumentDescription"]["DocumentVersion"]
    ssm.update_document_default_version(Name=DOCUMENT, DocumentVersion=mutants)
    try:
        yield
    finally:
        ssm.update_document_default_version(Name=DOCUMENT, DocumentVersion=honest)


@contextmanager
def mutated_hosts(lane: Lane, name: str) -> Iterator[None]:
    """Let the nodes of a lane be this mutant within the block."""
    markers = [lane.root(number) / MARKER for number in range(1, len(lane.node_ids) + 1)]
    for marker in markers:
        marker.write_text(name)
    try:
        yield
    finally:
        for marker in markers:
            marker.unlink()


@contextmanager
def mutated_controller(lane: Lane) -> Iterator[None]:
    """Let the steps that mutants change be run by them within the block."""
    site, go = lane.site, lane.go_file
    go.unlink(missing_ok=True)
    functions = site.region.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    names = [f["FunctionName"] for page in pages for f in page["Functions"] if f["Handler"] in MUTATED_STEPS]
    _upload(functions, names, _functions(STEP_MUTANTS, go=go))
    try:
        yield
    finally:
        _upload(functions, names, _functions({}))


def _upload(functions: Any, names: Sequence[str], code: bytes) -> None:  # noqa: ANN401  # a boto client
    for name in names:
        functions.update_function_code(FunctionName=name, ZipFile=code)


def _functions(mutants: Mapping[str, str], *, go: Path | None = None) -> bytes:
    """The functions as they are built, with mutants at the end of the modules that they change."""
    buffer, root = io.BytesIO(), REPOSITORY / "build/functions"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*.py")):
            text, within = path.read_text(), path.relative_to(root).as_posix()
            if within in mutants:
                text += f"\n\nfrom aerokeep import {mutants[within]}\n"
            archive.writestr(within, text)
        for name in mutants.values():
            archive.writestr(f"aerokeep/{name}.py", (MUTANTS / f"{name}.py").read_text().replace("{go}", str(go)))
    return buffer.getvalue()
