"""From the command line to a verb, and from its result to one JSON object on stdout and an exit code."""

import importlib
import json
import sys
import traceback
from typing import Any, Dict, List, Tuple

from aerokeep_node.refusal import BadParameterError, RefusalError
from aerokeep_node.tree import Tree
from aerokeep_node.verbs import VERBS, Verb, read_parameters

SCHEMA = 1
MOST_CHARACTERS = 24000
"""What SSM gives back of a command's stdout; cut off, it would be no JSON."""
RUNNERS: Dict[str, str] = {
    "survey": "survey",
    "stop-writes": "stop_writes",
    "resume-writes": "resume_writes",
    "capture": "capture",
    "health": "health",
    "stop": "stop",
    "stage": "stage",
    "start": "start",
    "open-writes": "open_writes",
    "export": "export",
    "import": "import_",
    "status": "status",
    "cancel": "cancel",
}
"""The module of each verb, imported when it is called: a document carries no other verb's."""
INTERNAL: Dict[str, Tuple[str, str]] = {
    "resident": ("resident", "run_resident"),
    "undo": ("resident", "run_undo"),
    "export-job": ("transfer.export_job", "run_export_job"),
    "import-job": ("transfer.import_job", "run_import_job"),
    "parse-export": ("transfer.parse_export", "run_parse"),
}
"""Module and function of what this program calls of itself, carried by the documents of the verbs that do."""
_INTERNAL_ARGUMENTS = 2


def main(arguments: List[str]) -> int:
    """Run one verb; give the exit code of the contract."""
    tree = Tree.from_environment()
    if len(arguments) == _INTERNAL_ARGUMENTS and arguments[0] in INTERNAL:
        module, function = INTERNAL[arguments[0]]
        return int(getattr(importlib.import_module("aerokeep_node." + module), function)(tree, arguments[1]))
    verb = arguments[0] if len(arguments) == 1 else ""
    result, code = _run(verb, tree)
    print(_encode(result))
    return code if len(_encode(result)) < MOST_CHARACTERS else 1


def _run(verb: str, tree: Tree) -> Tuple[Dict[str, Any], int]:
    head: Dict[str, Any] = {"schema": SCHEMA, "verb": verb}
    try:
        known = _known(verb)
        parameters = read_parameters(known)
        result = importlib.import_module("aerokeep_node." + RUNNERS[known.name]).run(tree, parameters)
    except RefusalError as refusal:
        error = {"code": refusal.code, "detail": refusal.detail[:1000]}
        return dict(head, ok=False, error=error), refusal.exit_code
    except Exception as defect:  # noqa: BLE001 - the contract: one JSON object whatever happens; the trace goes to stderr
        traceback.print_exc(file=sys.stderr)
        error = {"code": "internal", "detail": f"{type(defect).__name__}: {defect}"[:1000]}
        return dict(head, ok=False, error=error), 1
    return dict(head, ok=True, **result), 0


def _known(name: str) -> Verb:
    if name not in VERBS:
        raise BadParameterError("unknown_verb", "one of: {}".format(", ".join(VERBS)))
    return VERBS[name]


def _encode(result: Dict[str, Any]) -> str:
    text = json.dumps(result, separators=(",", ":"))
    if len(text) < MOST_CHARACTERS:
        return text
    error = {"code": "result_too_large", "detail": f"{len(text)} characters, {MOST_CHARACTERS} fit"}
    return json.dumps({"schema": SCHEMA, "verb": result["verb"], "ok": False, "error": error})
