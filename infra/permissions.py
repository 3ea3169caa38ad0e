"""Write docs/permissions.md: what every role may do, on what, under which conditions, and why no less."""

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.acknowledge import spelt
from infra.build_products import BuildProducts
from infra.config import Config
from infra.role_names import SCHEDULES, WORKFLOW, role_of
from infra.stacks import build_app

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "permissions.md"
ACCOUNT = "111122223333"
NIGHTLY = {"expression": "cron(0 3 * * ? *)"}
EXAMPLE: Mapping[str, Any] = {
    "tag": {"key": "role", "value": "example"},
    "schedule": NIGHTLY,
    "export": {"schedule": NIGHTLY},
    "instance_roles": [f"arn:aws:iam::{ACCOUNT}:role/aerospike-node"],
    "kms_keys": [f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/00000000-0000-4000-8000-000000000001"],
}
"""A cluster with everything that brings a permission with it."""
EVERY_STEP = ("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords")
HEAD = """\
# Permissions

Written by `make permissions` from the synthesized templates; a test keeps it current. It shows a cluster `example`
that is selected by the tag `role=example` and has everything that brings a permission with it: schedules, an instance
role, and a customer key for its volumes. `<account>` and `<region>` are those of the deployment; `vault`, `catalog`
and `key` are what the storage stack holds.

Each state of a journey is a Lambda with a role of its own. That each grant is needed, and that none is missing, is
proven by `tests/permissions`: it plays the journeys and their failures, and has a simulator of IAM judge every call
(docs/adr/0014). Where a resource ends in a wildcard, the last column says why.

Beside what is listed, every step's role may write to its own log group (`logs:CreateLogStream`, `logs:PutLogEvents`)
and send traces (`xray:PutTraceSegments`, `xray:PutTelemetryRecords` on `*`: X-Ray segments have no resource in IAM).
"""
_PLACES = {
    "AWS::AccountId": "<account>",
    "AWS::Region": "<region>",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_OURS = {"Catalog": "catalog", "Key": "key", "Vault": "vault"}
_REFERENCE = re.compile(r"<?(?:\w+:ExportsOutput(?:Ref|FnGetAtt))?([A-Z]\w*?)[0-9A-F]{8}(?:\w*|\.Arn>)>?")
HOSTS = "(nodes)"
ITSELF = "In the policy of a key, it is the key itself."
PREFIX_ONLY = "Keys hold ids of exports; the cluster's own prefix is the scope."
TITLES = {SCHEDULES: "What starts journeys", HOSTS: "What policies of vault and key let the nodes' own roles do"}


@dataclass(frozen=True)
class Statement:
    """One statement of one role."""

    role: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]
    why: str

    @property
    def wide(self) -> bool:
        """Some resource ends in a wildcard."""
        return any("*" in resource for resource in self.resources)

    @property
    def of_every_step(self) -> bool:
        """Every step's role has it."""
        return set(self.actions) <= set(EVERY_STEP)


@dataclass(frozen=True)
class Report:
    """Everything that is granted."""

    statements: tuple[Statement, ...]

    @property
    def text(self) -> str:
        """As docs/permissions.md has it."""
        parts = [HEAD]
        journey = ""
        for role in dict.fromkeys(statement.role for statement in self.statements):
            if (now := re.split(r"[/ ]", role)[0]) != journey:
                journey = now
                parts.append(f"## {TITLES.get(role, journey)}\n")
            own = [s for s in self.statements if s.role == role and not ("/" in role and s.of_every_step)]
            parts.append("\n".join([f"### {role}\n", *_table(own), ""]))
        return "\n".join(parts)


def _table(statements: Iterable[Statement]) -> Iterator[str]:
    yield "| statement | actions | resources | conditions | why a wildcard |"
    yield "|---|---|---|---|---|"
    for s in statements:
        cells = [_lines(s.actions), _lines(s.resources), _lines(s.conditions)]
        yield f"| {s.sid} | {' | '.join(cells)} | {s.why if s.wide else ''} |"


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(f"`{text}`" for text in texts)


def report_of(config: Config, products: BuildProducts) -> Report:
    """Synthesize and read what came out."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    with tempfile.TemporaryDirectory() as folder:
        app = build_app(config, products, context=context, outdir=Path(folder), nag=False)
        app.synth()
        reasons = app.node.find_child(WORKFLOW).reasons  # type: ignore[attr-defined]  # of the WorkflowStack
        stacks = [WORKFLOW, "AerokeepTrigger", "AerokeepStorage"]
        templates = [json.loads((Path(folder) / f"{stack}.template.json").read_text()) for stack in stacks]
    found = [statement for template in templates for statement in _statements(template, reasons)]
    return Report((*found, *_of_hosts(templates[-1])))


def _of_hosts(storage: Mapping[str, Any]) -> Iterator[Statement]:
    """What the storage stack lets roles do that the operator made."""
    for resource in storage["Resources"].values():
        properties = resource.get("Properties", {})
        policy = properties.get("KeyPolicy") or properties.get("PolicyDocument") or {}
        for raw in policy.get("Statement", ()):
            principals = str(raw.get("Principal", {}))
            if ":role/" in principals:
                why = ITSELF if raw["Resource"] == "*" else PREFIX_ONLY
                yield _statement(raw, role=HOSTS, sid=raw["Effect"], why=why)


def _statements(template: Mapping[str, Any], reasons: Mapping[tuple[str, str], str]) -> Iterator[Statement]:
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        role = role_of(logical_id)
        for raw in resource["Properties"]["PolicyDocument"]["Statement"]:
            sid = raw.get("Sid", "")
            yield _statement(raw, role=role.name, sid=sid, why=reasons.get((role.owner, sid), ""))


def _statement(raw: Mapping[str, Any], *, role: str, sid: str, why: str) -> Statement:
    return Statement(
        role=role,
        sid=sid,
        actions=tuple(_listed(raw["Action"])),
        resources=tuple(dict.fromkeys(map(_brief, _listed(raw["Resource"])))),
        conditions=tuple(_conditions(raw.get("Condition", {}))),
        why=why,
    )


def _listed(value: Any) -> list[str]:  # noqa: ANN401  # IAM takes one or several, as text or intrinsic function
    return [_placed(spelt(item)) for item in (value if isinstance(value, list) else [value])]


def _placed(text: str) -> str:
    for place, name in _PLACES.items():
        text = text.replace(f"<{place}>", name)
    return text


def _brief(resource: str) -> str:
    """``arn:aws:ec2:<region>:<account>:instance/*`` → ``ec2 instance/*``; ours by what they are."""
    if resource.startswith("arn:"):
        service, _, name = resource.removeprefix("arn:aws:").partition(":")
        return f"{service} {name.split(':', 2)[2]}"
    owner, slash, rest = resource.partition("/")
    if (found := _REFERENCE.match(owner)) is None:
        return resource
    return f"{_OURS.get(found[1], found[1])}{slash}{rest}"


def _conditions(conditions: Mapping[str, Any]) -> Iterator[str]:
    for operator, keys in conditions.items():
        for key, values in keys.items():
            yield f"{operator} {key} = {', '.join(_listed(values))}"


def main() -> int:
    """Write the report."""
    report = report_of(Config.model_validate({"clusters": {"example": EXAMPLE}}), BuildProducts.of(ROOT))
    REPORT.write_text(report.text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
