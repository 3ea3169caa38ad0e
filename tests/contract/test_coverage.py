"""Every hook, and every call that our code makes, is what some row of the contract is about."""

import ast
import functools
from pathlib import Path

from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import get_session

from sandbox.region.hooks import HOOKS
from tests.contract.rows import BEHAVIOURS

OURS = Path(__file__).resolve().parents[2] / "functions" / "aerokeep" / "aws"
SERVICES = {
    "ec2": "ec2",
    "ssm": "ssm",
    "s3": "s3",
    "dynamodb": "dynamodb",
    "cloudwatch": "cloudwatch",
    "sns": "sns",
    "states": "stepfunctions",
}
"""What our code calls its clients → botocore's name of the service."""
MORE = ("ebs", "kms", "lambda", "events", "scheduler", "sqs", "iam", "sts", "cloudformation")
LEAST_CALLS = 40
NO_CALL = frozenset({"generate_presigned_url"})


def test_every_hook_has_a_row_that_fails_without_it_or_says_why_that_is_not_seen() -> None:
    seen = {target for row in BEHAVIOURS for target in row.hooks}
    unseen = {target for row in BEHAVIOURS for target, reason in row.hooks_unseen if reason}
    hooks = {hook.target for hook in HOOKS}
    assert hooks - seen - unseen == set()
    assert seen & unseen == set()


def test_every_call_of_ours_has_a_row() -> None:
    called = {call for path in OURS.glob("*.py") for call in _calls(ast.parse(path.read_text()))}
    assert len(called) >= LEAST_CALLS
    assert called - {call for row in BEHAVIOURS for call in row.calls} == set()


def _calls(tree: ast.AST) -> set[str]:
    """``service.Action`` of each method, or paginator, of a client that is called."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name) | ast.Name(id=name), attr=method)):
                if (service := SERVICES.get(name.lstrip("_"))) and method not in NO_CALL:
                    first = node.args[0] if node.args else None
                    paged = method == "get_paginator" and isinstance(first, ast.Constant)
                    found.add(_named(service, str(first.value) if paged else method))  # type: ignore[union-attr]
    return found


@functools.cache
def _model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)


def _named(service: str, method: str) -> str:
    model = _model(service)
    action = {xform_name(name): name for name in model.operation_names}[method]
    return f"{model.signing_name}.{action}"


def test_the_calls_that_rows_name_exist() -> None:
    by_name = {_model(name).signing_name: name for name in (*SERVICES.values(), *MORE)}
    called = {call for row in BEHAVIOURS for call in row.calls}
    assert called == {c for c in called if c.partition(".")[2] in _model(by_name[c.partition(".")[0]]).operation_names}
