"""What there is in a region that was started by hand, in lines for people."""

from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.faults import Armed
from sandbox.region import Region

NONE = "  none"
LANES = ("lock", "export-lock")


def lines(region: Region, plans: Sequence[Armed]) -> list[str]:
    """Everything: stacks, machines, nodes, locks, plans."""
    parts = {
        "stacks": _stacks(region),
        "machines": _machines(region),
        "nodes": _nodes(region),
        "locks": _locks(region),
        "fault plans": _plans(plans),
    }
    return [line for name, found in parts.items() for line in (f"{name}:", *(list(found) or [NONE]))]


def _stacks(region: Region) -> Iterator[str]:
    for stack in region.client("cloudformation").describe_stacks()["Stacks"]:
        yield f"  {stack['StackName']} {stack['StackStatus']}"


def _machines(region: Region) -> Iterator[str]:
    states = region.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        runs = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        newest = max(runs, key=lambda run: run["startDate"], default=None)
        last = f"{newest['status']} ({newest['name']}, {newest['startDate']:%H:%M:%S})" if newest else "never run"
        yield f"  {machine['name']}: {last}"


def _nodes(region: Region) -> Iterator[str]:
    for instance in sorted(region.ec2.all_instances(), key=lambda i: str(i.private_ip)):
        tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
        power = "on" if region.mirror.is_on(instance.id) else "off"
        agent = "answers" if region.commands.agent(instance.id).listens else "silent"
        name = tags.get("Name", "-")
        yield f"  {name} {instance.id} {instance.private_ip} {instance.state} power={power} agent={agent}"


def _locks(region: Region) -> Iterator[str]:
    database = region.client("dynamodb")
    for table in database.list_tables()["TableNames"]:
        pages = database.get_paginator("scan").paginate(TableName=table)
        for item in (item for page in pages for item in page["Items"]):
            if _text(item, "sk") in LANES and _text(item, "state"):
                yield f"  {_text(item, 'pk')} {_text(item, 'state')} by {_text(item, 'run')}"


def _text(item: dict[str, Any], name: str) -> str:
    return str(next(iter(item.get(name, {"S": ""}).values())))


def _plans(plans: Sequence[Armed]) -> Iterator[str]:
    for armed in plans:
        yield f"  {armed.plan.title} ({armed.struck} of {len(armed.tallies)} struck)"
        yield from (f"    {line}" for line in armed.lines)
