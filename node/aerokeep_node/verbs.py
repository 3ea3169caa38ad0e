"""The table of verbs: the only place of their names, parameters, patterns and time limits."""

import os
import re
from dataclasses import dataclass
from typing import Dict, Tuple

from aerokeep_node.refusal import BadParameterError, RefusalError

ENVIRONMENT_PREFIX = "SSM_"
MOST_NAMESPACES = 32


@dataclass(frozen=True)
class Parameter:
    """One String parameter; ``pattern`` is anchored and stays in what Java's and Go's regular expressions share."""

    name: str
    pattern: str
    description: str


@dataclass(frozen=True)
class Verb:
    """One verb; ``timeout_s`` is the document's executionTimeout."""

    name: str
    description: str
    timeout_s: int
    parameters: Tuple[Parameter, ...] = ()


_RUN = Parameter("Run", "^[a-z0-9][A-Za-z0-9-]{0,95}$", "Id of the run")
_INSTANT = "^[0-9]{10}[.][0-9]{3}$"
_NAMESPACES = "^[A-Za-z0-9_.-]{1,31}(,[A-Za-z0-9_.-]{1,31})*$"
_MOUNT_POINTS = "^(none|/[A-Za-z0-9._/@+-]*(,/[A-Za-z0-9._/@+-]*)*)$"
_URL = "https?://[A-Za-z0-9._~:/?&=%@+,-]+"

VERBS: Dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("survey", "Describe this host, its Aerospike server, and the EBS volumes below its storage", 60),
        Verb(
            "stop-writes",
            "Arm a write stop that begins at StartAt and that this host ends by itself at EndAt",
            60,
            (
                _RUN,
                Parameter("Token", "^[0-9a-f]{32}$", "Fencing token of this try"),
                Parameter("StartAt", _INSTANT, "T0, true time in epoch seconds"),
                Parameter("EndAt", _INSTANT, "T1, true time in epoch seconds"),
                Parameter("Namespaces", _NAMESPACES, "Namespaces to guard"),
                Parameter("Freeze", _MOUNT_POINTS, "Mount points to freeze, or none"),
                Parameter("LetGo", f"^(none|{_URL})$", "Where the word to let go early will be, or none"),
            ),
        ),
        Verb(
            "resume-writes",
            "End the write stop of a run now, and give its evidence",
            60,
            (
                Parameter("Run", _RUN.pattern, "Id of the run; all: of any; everything: guards of nobody's, too"),
                Parameter("Tombstone", "^(yes|no)$", "yes: no write stop may start for this run any more"),
            ),
        ),
        Verb(
            "capture",
            "Report the SMD and conf files of a run, or upload them to presigned addresses",
            300,
            (
                _RUN,
                Parameter(
                    "Uploads",
                    f"^(report|{_URL})$",
                    "report, or where the list of uploads is",
                ),
            ),
        ),
        Verb("health", "Ask the Aerospike server how it is", 30),
        Verb(
            "stop",
            "Stop the Aerospike server cleanly, mask its unit, and unmount what it used",
            60,
            (_RUN, Parameter("Unmount", _MOUNT_POINTS, "Mount points to unmount, or none")),
        ),
        Verb(
            "stage",
            "Check devices and put SMD and conf in place for a first start, or put the former ones back",
            120,
            (_RUN, Parameter("Spec", f"^(back|{_URL})$", "back, or where the order is")),
        ),
        Verb(
            "start",
            "Start the Aerospike server, with the first-start settings or without",
            60,
            (_RUN, Parameter("Mode", "^(first|normal)$", "first: with the first-start settings, which must be staged")),
        ),
        Verb(
            "open-writes",
            "Take the first-start settings away for good, and let clients write",
            60,
            (_RUN, Parameter("Namespaces", _NAMESPACES, "Namespaces to open")),
        ),
        Verb(
            "export",
            "Start a job that exports namespaces into the vault, or tell how far it is",
            60,
            (_RUN, Parameter("Spec", f"^{_URL}$", "Where the order is")),
        ),
        Verb(
            "import",
            "Start a job that imports an export from the vault or verifies one, or tell how far it is",
            60,
            (_RUN, Parameter("Spec", f"^{_URL}$", "Where the order is")),
        ),
        Verb("status", "Tell how far a run's export or import is, and what this host has for one", 60, (_RUN,)),
        Verb("cancel", "End a run's export or import, and let none begin for it any more", 60, (_RUN,)),
    )
}


def read_parameters(verb: Verb) -> Dict[str, str]:
    """Take a verb's parameters from the environment and check them again, whoever checked them before.

    Raises:
        RefusalError: ``agent_too_old``: the SSM agent did not set a variable.
        BadParameterError: ``bad_parameter``: a value does not match its pattern.

    """
    values = {}
    for parameter in verb.parameters:
        variable = ENVIRONMENT_PREFIX + parameter.name
        value = os.environ.get(variable)
        if value is None:
            detail = f"{variable} is not set: the SSM agent must be 3.3.2746.0 or newer"
            raise RefusalError("agent_too_old", detail)
        # fullmatch, since $ would let a trailing newline through.
        if not re.fullmatch(parameter.pattern, value):
            raise BadParameterError(
                "bad_parameter", f"{parameter.name}: {value[:80]!r} does not match {parameter.pattern}"
            )
        values[parameter.name] = value
    return values
