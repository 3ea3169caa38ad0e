"""Rounds of the guardian, and backups that die."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.workflow.backup.estate import Ended, Estate


def guardian_round(estate: Estate, **request: Any) -> Ended:  # noqa: ANN401 - any input, wrong ones too
    """Start the guardian and wait for its end."""
    started = estate.region.client("stepfunctions").start_execution(
        stateMachineArn=estate.outputs["GuardianMachineArn"], input=json.dumps(request)
    )
    return estate.ended(str(started["executionArn"]))


def rounds(estate: Estate) -> list[str]:
    """The guardian's executions so far, newest first."""
    listed = estate.region.client("stepfunctions").list_executions(stateMachineArn=estate.outputs["GuardianMachineArn"])
    return [execution["executionArn"] for execution in listed["executions"]]


@contextmanager
def uncalled_by_events(estate: Estate) -> Iterator[None]:
    """Let no event start the guardian meanwhile."""
    events = estate.region.client("events")
    rules = events.list_rules()["Rules"]
    name = next(str(rule["Name"]) for rule in rules if "left something behind" in rule.get("Description", ""))
    events.disable_rule(Name=name)
    try:
        yield
    finally:
        events.enable_rule(Name=name)


def function_of(estate: Estate, journey: str, state: str) -> str:
    """The name of the Lambda that runs a state."""
    listed = estate.region.client("lambda").get_paginator("list_functions").paginate()
    wanted = f"Aerokeep {journey}: {state}"
    return next(str(f["FunctionName"]) for page in listed for f in page["Functions"] if f.get("Description") == wanted)


def hold(estate: Estate, cluster: str, **changes: str | int | None) -> None:
    """Write a lock as a run leaves it; `changes` are its attributes, None leaves one out."""
    arn = estate.outputs["BackupMachineArn"].replace(":stateMachine:", ":execution:")
    attributes = {
        "owner": f"{arn}:long-ago",
        "run": f"{cluster}-restore-20260101T000000Z",
        "journey": "restore",
        "state": "held",
        "acquired_at": "2026-01-01T00:00:00Z",
        "epoch": 3,
        "request": json.dumps({"cluster": cluster}),
        **changes,
    }
    item = {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in attributes.items()
        if value is not None
    }
    key = {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": "lock"}}
    estate.region.client("dynamodb").put_item(TableName=estate.outputs["CatalogName"], Item={**key, **item})


def lock_of(estate: Estate, cluster: str) -> dict[str, str]:
    """A cluster's lock as it stands in the catalog."""
    key = {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": "lock"}}
    found = estate.region.client("dynamodb").get_item(TableName=estate.outputs["CatalogName"], Key=key)
    return {name: str(next(iter(value.values()))) for name, value in found.get("Item", {}).items()}
