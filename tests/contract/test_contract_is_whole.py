"""Nothing that a journey depends on is left out of the contract: no call of ours, and no hook."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import Session

from sandbox.region import hooks
from sandbox.region.hooks.hook import Hook
from tests.contract.rows import BEHAVIOURS

AWS = Path(__file__).resolve().parents[2] / "functions" / "aerokeep" / "aws"
SERVICES = {
    "cloudwatch": "monitoring",
    "dynamodb": "dynamodb",
    "ec2": "ec2",
    "s3": "s3",
    "sns": "sns",
    "ssm": "ssm",
    "stepfunctions": "states",
}
"""botocore's names of the services that Lambdas call → the names that requests are signed with."""
BY_NAME = ("get_paginator", "generate_presigned_url", "get_waiter")


def _operations() -> dict[str, str]:
    """Python's name of a method → ``service.Action``."""
    found: dict[str, str] = {}
    for service, signing in SERVICES.items():
        for name in Session().get_service_model(service).operation_names:
            found[xform_name(name)] = f"{signing}.{name}"
    return found


def _called() -> Iterator[str]:
    """Every method that is called in ``aws/``, and every operation that is named to a paginator or the like."""
    for path in sorted(AWS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            yield node.func.attr
            if node.func.attr in BY_NAME and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def test_each_aws_call_of_the_journeys_has_a_row() -> None:
    operations = _operations()
    ours = {operations[name] for name in _called() if name in operations}
    assert len(ours) > 30
    assert sorted(ours - {call for row in BEHAVIOURS for call in row.calls}) == []


def test_a_rows_calls_are_actions_of_aws() -> None:
    for call in sorted({call for row in BEHAVIOURS for call in row.calls}):
        service, _, action = call.partition(".")
        named = {signing: name for name, signing in SERVICES.items()}.get(service, service)
        named = {"events": "events", "scheduler": "scheduler"}.get(named, named)
        assert action in Session().get_service_model(named).operation_names, call


@pytest.mark.parametrize("hook", hooks.HOOKS, ids=lambda hook: str(hook.target))
def test_each_hook_has_a_row(hook: Hook) -> None:
    assert hook.target in {target for row in BEHAVIOURS for target in row.hooks}
