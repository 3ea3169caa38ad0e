# ruff: noqa: INP001 - a script beside the package, not a module of it
"""Pack the host program into deterministic zipapps, one per verb, and write the SSM documents that carry them.

Usage: ``python node/pack.py build/node`` writes ``programs/<verb>.pyz`` and ``documents/<verb>.json``.
"""

import ast
import base64
import gzip
import hashlib
import io
import json
import sys
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

sys.path.insert(0, str(Path(__file__).resolve().parent))

from aerokeep_node.entry import RUNNERS
from aerokeep_node.verbs import ENVIRONMENT_PREFIX, VERBS, Verb

PACKAGE = Path(__file__).resolve().parent / "aerokeep_node"
PROGRAM = "aerokeep-node.pyz"
MAIN = "aerokeep_node.__main__"
OLDEST_PYTHON = (3, 7)
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time a zip can hold: the same sources give the same bytes."""
LARGEST_DOCUMENT_BYTES = 64 * 1024
LARGEST_BASE64_BYTES = 56 * 1024
BASE64_LINE = 4000
DOCUMENT_TOO_LARGE = "{} has {} bytes, SSM takes {}"

HEAD = """\
set -eu
umask 077
PATH="${{PATH:-/usr/bin:/bin}}:/usr/local/sbin:/usr/sbin:/sbin"
export PATH
refuse() {{
  printf '{{"schema":1,"verb":"{verb}","ok":false,"error":{{"code":"%s","detail":"%s"}} }}\\n' "$1" "$2"
  exit 3
}}
"""
CHECK_VARIABLE = """\
[ -n "${{{variable}+set}}" ] || refuse agent_too_old '{variable} is not set: the SSM agent must be 3.3.2746.0 or newer'
"""
RUN = """\
python=''
for candidate in python3 /usr/libexec/platform-python; do
  if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < ({oldest}))' >/dev/null 2>&1; then
    python=$candidate
    break
  fi
done
[ -n "$python" ] || refuse python_missing 'neither python3 nor platform-python of version {oldest_text} or newer'
home="${{AEROKEEP_ROOT:-}}/run/aerokeep/program/{sha256}"
program="$home/{program}"
intact() {{
  printf '%s  %s\\n' '{sha256}' "$1" | sha256sum -c - >/dev/null 2>&1
}}
if ! intact "$program"; then
  mkdir -p "$home"
  draft="$program.$$"
  base64 -d <<'PROGRAM' | gzip -dc >"$draft"
{base64}
PROGRAM
  intact "$draft" || refuse program_damaged 'the program does not have the sha256 that its document names'
  mv -f "$draft" "$program"
fi
exec "$python" -I "$program" {verb}
"""


class _WithoutTypes(ast.NodeTransformer):
    """Drops the types that nothing asks for at run time: all but those of a class's fields, which dataclasses read."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Keep the fields."""
        node.body = [s if isinstance(s, ast.AnnAssign) else self.visit(s) for s in node.body]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Leave the name alone."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Drop what is returned."""
        node.returns = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Optional[ast.Assign]:
        """Leave the value alone."""
        return ast.Assign([node.target], self.visit(node.value), lineno=node.lineno) if node.value else None


@lru_cache(maxsize=None)  # most modules are carried by several documents
def slim(source: str) -> str:
    """Drop comments, docstrings and types, which the host never shows; what is left must still be Python 3.7."""
    tree = _WithoutTypes().visit(ast.parse(source))
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            continue
        # Bare strings below an assignment document it; they go too.
        kept = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        node.body = kept or [ast.Pass()]
    _drop_unused_types(tree)
    text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    ast.parse(text, feature_version=OLDEST_PYTHON)
    return text


def _drop_unused_types(tree: ast.Module) -> None:
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "typing":
            node.names = [alias for alias in node.names if alias.name in used]
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names]


def module_file(module: str) -> Path:
    """Give the file of a module of the package."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(source: str) -> Iterator[str]:
    """Name every module of the package that a source imports, and the packages around it."""
    for node in ast.walk(ast.parse(source)):
        names: List[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            words = name.split(".")
            if words[0] == PACKAGE.name:
                parents = (".".join(words[: count + 1]) for count in range(len(words)))
                yield from (module for module in parents if module_file(module).is_file())


def modules_of(verb: Verb) -> Set[str]:
    """Give what a verb needs: the start, its own module, and all that these import."""
    needed: Set[str] = set()
    waiting = [MAIN, f"{PACKAGE.name}.{RUNNERS[verb.name]}"]
    while waiting:
        module = waiting.pop()
        if module not in needed:
            needed.add(module)
            waiting += imports_of(module_file(module).read_text())
    return needed


def pack_program(verb: Verb) -> bytes:
    """Make a verb's zipapp: sorted names, fixed times; stored, since compressing it as one is a third smaller."""
    files = [module_file(module) for module in modules_of(verb)]
    sources = {path.relative_to(PACKAGE.parent).as_posix(): slim(path.read_text()) for path in files}
    sources["__main__.py"] = sources.pop("aerokeep_node/__main__.py")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100600 << 16
            archive.writestr(entry, sources[name])
    return packed.getvalue()


def encode_program(program: bytes) -> str:
    """Give the program as it stands in a document: gzip in base64."""
    return base64.b64encode(gzip.compress(program, 9, mtime=0)).decode("ascii")


def script(verb: Verb, program: bytes) -> str:
    """Write the shell of one document: find Python, put the program in place, run the verb."""
    encoded = encode_program(program)
    lines = [encoded[start : start + BASE64_LINE] for start in range(0, len(encoded), BASE64_LINE)]
    parts = [HEAD.format(verb=verb.name)]
    parts += [CHECK_VARIABLE.format(variable=ENVIRONMENT_PREFIX + parameter.name) for parameter in verb.parameters]
    parts.append(
        RUN.format(
            oldest=", ".join(map(str, OLDEST_PYTHON)),
            oldest_text=".".join(map(str, OLDEST_PYTHON)),
            sha256=hashlib.sha256(program).hexdigest(),
            program=PROGRAM,
            base64="\n".join(lines),
            verb=verb.name,
        )
    )
    return "".join(parts)


def document(verb: Verb, program: bytes) -> Dict[str, Any]:
    """Give the whole content of one SSM document (schema 2.2)."""
    content: Dict[str, Any] = {"schemaVersion": "2.2", "description": f"Aerokeep: {verb.description}"}
    if verb.parameters:
        content["parameters"] = {
            parameter.name: {
                "type": "String",
                "description": parameter.description,
                "allowedPattern": parameter.pattern,
                "interpolationType": "ENV_VAR",
            }
            for parameter in verb.parameters
        }
    content["mainSteps"] = [
        {
            "action": "aws:runShellScript",
            "name": verb.name.replace("-", "_"),
            "precondition": {"StringEquals": ["platformType", "Linux"]},
            "inputs": {"timeoutSeconds": str(verb.timeout_s), "runCommand": script(verb, program).splitlines()},
        }
    ]
    return content


def main(arguments: List[str]) -> int:
    """Write everything below the folder named; refuse what SSM would not take."""
    target = Path(arguments[0])
    documents, programs = target / "documents", target / "programs"
    for folder in (documents, programs):
        folder.mkdir(parents=True, exist_ok=True)
    for verb in VERBS.values():
        program = pack_program(verb)
        (programs / f"{verb.name}.pyz").write_bytes(program)
        text = json.dumps(document(verb, program), indent=1, sort_keys=True) + "\n"
        if len(text) > LARGEST_DOCUMENT_BYTES:
            print(DOCUMENT_TOO_LARGE.format(verb.name, len(text), LARGEST_DOCUMENT_BYTES), file=sys.stderr)
            return 1
        (documents / f"{verb.name}.json").write_text(text)
        encoded_bytes = len(encode_program(program))
        print(f"documents/{verb.name}.json: {len(text)} bytes, {encoded_bytes} of them program")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
