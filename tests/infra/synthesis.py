"""Read synthesized templates the way the tests ask about them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.journeys import construct_id

STACKS = ("AerokeepStorage", "AerokeepDocuments", "AerokeepWorkflow", "AerokeepTrigger")
Resource = dict[str, Any]


@dataclass(frozen=True)
class Synthesis:
    """One `cdk.out`."""

    directory: Path

    def template_path(self, stack: str) -> Path:
        return self.directory / f"{stack}.template.json"

    @cached_property
    def templates(self) -> dict[str, dict[str, Any]]:
        return {stack: json.loads(self.template_path(stack).read_text(encoding="utf-8")) for stack in STACKS}

    def resources(self, stack: str, kind: str) -> dict[str, Resource]:
        found: dict[str, Resource] = self.templates[stack]["Resources"]
        return {name: resource for name, resource in found.items() if resource["Type"] == kind}

    def only(self, stack: str, kind: str, name_starts: str = "") -> Resource:
        (found,) = [r for name, r in self.resources(stack, kind).items() if name.startswith(name_starts)]
        return found

    @cached_property
    def machines(self) -> dict[str, Resource]:
        """Each state machine by its journey."""
        found = self.resources("AerokeepWorkflow", "AWS::StepFunctions::StateMachine").values()
        return {machine["Properties"]["StateMachineName"].removeprefix("aerokeep-"): machine for machine in found}

    def step_functions(self, journey: str) -> dict[str, Resource]:
        """Each Lambda of a journey by the state that runs it, as the state machine's substitutions tell."""
        functions = self.resources("AerokeepWorkflow", "AWS::Lambda::Function")
        substitutions = self.machines[journey]["Properties"]["DefinitionSubstitutions"]
        return {state: functions[target["Fn::GetAtt"][0]] for state, target in substitutions.items()}

    def role_of(self, journey: str, state: str) -> list[dict[str, Any]]:
        """The policy statements of a step's role."""
        return self.statements("AerokeepWorkflow", f"{construct_id(journey)}{state}RoleDefaultPolicy")

    def statements(self, stack: str, name_starts: str) -> list[dict[str, Any]]:
        """The statements of the role policy whose logical id starts so, actions and resources as lists of text."""
        policy = self.only(stack, "AWS::IAM::Policy", name_starts)
        return [
            {**statement, "Action": as_list(statement["Action"]), "Resource": as_list(statement["Resource"])}
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]


def as_list(value: Any) -> list[str]:  # noqa: ANN401 - IAM takes one or several, as text or intrinsic function
    return [spelt(item) for item in (value if isinstance(value, list) else [value])]


def spelt(value: Any) -> str:  # noqa: ANN401 - a CloudFormation value
    """Write a CloudFormation value as one line: references in angle brackets."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(spelt, parts))
        case _:
            return str(value)
