"""From the command line to a verb, and from its result to one JSON object on stdout and an exit code."""

import json
import sys
import traceback
from typing import Any, Callable, Dict, List, Tuple

from aerokeep_node import capture, health, resident, resume_writes, stop_writes, survey
from aerokeep_node.refusal import BadParameterError, RefusalError
from aerokeep_node.tree import Tree
from aerokeep_node.verbs import VERBS, Verb, read_parameters

SCHEMA = 1
MOST_CHARACTERS = 24000
"""What SSM gives back of a command's stdout; cut off, it would be no JSON."""
RUNNERS: Dict[str, Callable[[Tree, Dict[str, str]], Dict[str, Any]]] = {
    "survey": survey.run,
    "stop-writes": stop_writes.run,
    "resume-writes": resume_writes.run,
    "capture": capture.run,
    "health": health.run,
}
INTERNAL: Dict[str, Callable[[Tree, str], int]] = {"resident": resident.run_resident, "undo": resident.run_undo}
_INTERNAL_ARGUMENTS = 2


def main(arguments: List[str]) -> int:
    """Run one verb; give the exit code of the contract."""
    tree = Tree.from_environment()
    if len(arguments) == _INTERNAL_ARGUMENTS and arguments[0] in INTERNAL:
        return INTERNAL[arguments[0]](tree, arguments[1])
    verb = arguments[0] if len(arguments) == 1 else ""
    result, code = _run(verb, tree)
    print(_encode(result))
    return code if len(_encode(result)) < MOST_CHARACTERS else 1


def _run(verb: str, tree: Tree) -> Tuple[Dict[str, Any], int]:
    head: Dict[str, Any] = {"schema": SCHEMA, "verb": verb}
    try:
        known = _known(verb)
        result = RUNNERS[known.name](tree, read_parameters(known))
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
