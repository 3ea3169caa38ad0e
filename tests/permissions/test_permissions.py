"""Every call is allowed by the policies of its role, and every grant is used by some call."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.journeys import JOURNEYS
from tests.crash.rows import lambda_states, machine
from tests.permissions.evidence import Evidence
from tests.permissions.requests import Ask, Request
from tests.permissions.simulator import judged
from tests.permissions.unused import EXEMPTIONS

# Everything is played once, in the first test that asks for it.
pytestmark = pytest.mark.timeout(900)

Change = Callable[[Ask], Ask]


def test_everything_was_played_as_it_was_meant(evidence: Evidence) -> None:
    assert evidence.wrong == []


@pytest.mark.parametrize("journey", JOURNEYS)
def test_every_state_that_calls_a_lambda_was_entered(evidence: Evidence, journey: str) -> None:
    assert sorted(set(lambda_states(machine(journey))) - evidence.entered[journey]) == []


def test_for_every_call_it_is_known_what_iam_is_asked(evidence: Evidence) -> None:
    assert evidence.asked.unknown == set()
    assert evidence.asked.calls > 1000


def test_every_role_was_seen_at_work(evidence: Evidence) -> None:
    assert set(evidence.policies.names) <= {request.role for request in evidence.origins}


def test_every_call_is_allowed_by_the_policies_of_its_role(evidence: Evidence) -> None:
    assert evidence.refused == []


def test_every_grant_is_used_or_is_said_to_be_needed(evidence: Evidence) -> None:
    unexplained = [grant for grant in evidence.unused if not any(one.covers(grant) for one in EXEMPTIONS)]
    assert sorted(map(str, unexplained)) == []


def test_no_exemption_is_kept_that_nothing_needs(evidence: Evidence) -> None:
    unused = evidence.unused
    assert [one.reason for one in EXEMPTIONS if not any(one.covers(grant) for grant in unused)] == []


def _with(ask: Ask, key: str, value: str) -> Ask:
    return replace(ask, context=tuple((name, value if name == key else old) for name, old in ask.context))


def _without(ask: Ask, key: str) -> Ask:
    return replace(ask, context=tuple(pair for pair in ask.context if pair[0] != key))


def _tag_of(name: str) -> Change:
    return lambda ask: _with(ask, f"aws:ResourceTag/{name}", "somebody-elses")


@pytest.mark.parametrize(
    ("action", "kind", "change"),
    [
        ("ec2:CreateSnapshots", ":instance/", _tag_of("cluster")),
        ("ec2:TerminateInstances", ":instance/", _tag_of("cluster")),
        ("ssm:SendCommand", ":instance/", _tag_of("cluster")),
        ("ec2:AttachVolume", ":volume/", _tag_of("aerokeep:cluster")),
        ("ec2:DeleteSnapshot", ":snapshot/", lambda ask: _without(ask, "aws:ResourceTag/aerokeep:run")),
        ("ec2:CreateVolume", ":volume/", lambda ask: _without(ask, "aws:RequestTag/aerokeep:run")),
        ("ec2:RunInstances", ":instance/", lambda ask: _with(ask, "aws:RequestTag/aerokeep:cluster", "other")),
        ("iam:PassRole", ":role/", lambda ask: replace(ask, resource=f"{ask.resource}-admin")),
        ("iam:PassRole", ":role/", lambda ask: _with(ask, "iam:PassedToService", "lambda.amazonaws.com")),
        ("kms:CreateGrant", ":key/", lambda ask: _with(ask, "kms:GrantIsForAWSResource", "false")),
        ("kms:Decrypt", ":key/", lambda ask: _with(ask, "kms:ViaService", "sqs.eu-central-1.amazonaws.com")),
        ("s3:PutObject", "/runs/", lambda ask: replace(ask, resource=ask.resource.replace("/runs/", "/elsewhere/"))),
        ("s3:PutObject", "/runs/", lambda ask: _with(ask, "aws:SecureTransport", "false")),
        ("s3:GetObject", "/runs/", lambda ask: _with(ask, "s3:TlsVersion", "1.1")),
        ("cloudwatch:PutMetricData", "*", lambda ask: _with(ask, "cloudwatch:namespace", "AWS/EC2")),
        ("lambda:InvokeFunction", ":function:", lambda ask: replace(ask, resource=f"{ask.resource}-other")),
    ],
)
def test_what_is_asked_of_others_or_otherwise_is_refused(
    evidence: Evidence, action: str, kind: str, change: Change
) -> None:
    asked = [r for r in evidence.origins if r.ask.action == action and kind in r.ask.resource]
    changed = [Request(request.role, change(request.ask)) for request in asked]
    assert changed, "nothing of the kind was asked at all"
    assert set(changed).isdisjoint(asked), "the change changes nothing"
    assert [verdict.request for verdict in judged(evidence.policies, changed) if verdict.allowed] == []


def test_what_the_policies_do_not_speak_of_is_refused(evidence: Evidence) -> None:
    role = next(iter(evidence.policies.names))
    asked = [Request(role, Ask("ec2:DeleteVolume", "arn:aws:ec2:eu-central-1:111122223333:volume/vol-0"))]
    assert [verdict.result for verdict in judged(evidence.policies, asked)] == ["ImplicitlyDenied"]


def test_an_action_that_iam_does_not_know_is_a_mistake_of_ours(evidence: Evidence) -> None:
    role = next(iter(evidence.policies.names))
    (verdict,) = judged(evidence.policies, [Request(role, Ask("ec2:CutSnapshots", "*"))])
    assert (verdict.result, verdict.allowed) == ("Error", False)
    assert "invalid.action" in verdict.why
