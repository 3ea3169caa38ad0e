"""A node is replaced only if it is dead for certain, and it alone: everything else is refused, or looked at again."""

from typing import Any

import pytest
from aerokeep.model.machine import Machine, StatusChecks
from aerokeep.model.replacement import Facts, LastReplacement, PeerView, Verdict, Word
from aerokeep.rules.diagnosis import judge_failure
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON, a_node_inventory, at

COOL_DOWN_S = 1800
IMPAIRED = StatusChecks(instance="impaired", system="impaired", attached_ebs="ok")
WELL = StatusChecks(instance="ok", system="ok", attached_ebs="ok")


def a_peer(number: int, **changes: Any) -> PeerView:  # noqa: ANN401 - any field
    """A peer that answers, sees the other one, and has lost node A1."""
    fields: dict[str, Any] = {
        "node_id": f"A{number}",
        "word": Word.SERVER_ANSWERS,
        "sees": tuple(f"A{n}" for n in (2, 3) if n != number),
        "cluster_key": "K",
        "integrity": True,
    }
    return PeerView(**{**fields, **changes})


def unheard(number: int) -> PeerView:
    return PeerView(node_id=f"A{number}", word=Word.UNHEARD)


def a_machine(**changes: Any) -> Machine:  # noqa: ANN401 - any field
    return Machine(**{"instance_id": "i-1", "state": "running", **changes})


def facts(**changes: Any) -> Facts:  # noqa: ANN401 - any field
    """Node A1 of three has lost its host."""
    fields: dict[str, Any] = {
        "node": a_node_inventory(),
        "machine": a_machine(),
        "checks": IMPAIRED,
        "word": Word.UNHEARD,
        "peers": (a_peer(2), a_peer(3)),
        "by_alarm": True,
        "last": None,
    }
    return Facts(**{**fields, **changes})


def judged(**changes: Any) -> Verdict:  # noqa: ANN401 - any field
    return judge_failure(facts(**changes), cool_down_s=COOL_DOWN_S, now=NOON)


def test_a_host_that_ec2_ssm_and_all_peers_have_lost_is_dead() -> None:
    verdict = judged()
    assert (verdict.decision, verdict.code) == ("replace", "node_dead")
    assert "EC2's checks of i-1 fail: instance, system" in verdict.message
    assert "2 of 2 peers answer, and none has it in its cluster" in verdict.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"word": Word.SERVER_ANSWERS}, "node_alive"),
        ({"peers": (a_peer(2, sees=("A1", "A3")), a_peer(3))}, "node_alive"),
        ({"word": Word.SERVER_SILENT}, "host_alive"),
        ({"peers": ()}, "no_peers"),
        ({"peers": (a_peer(2, sees=()), PeerView(node_id="A3", word=Word.SERVER_SILENT))}, "second_failure"),
        ({"checks": StatusChecks(instance="ok", system="ok", attached_ebs="impaired")}, "volumes_unreachable"),
        (
            {"machine": a_machine(state="stopped", state_reason="Client.UserInitiatedShutdown: User initiated")},
            "ended_by_hand",
        ),
        ({"machine": a_machine(state="absent")}, "ended_by_hand"),
        ({"last": LastReplacement(node_id="A3", run_id="demo-replace-x", at=at(-60))}, "cool_down"),
    ],
)
def test_what_is_no_proven_single_failure_is_refused(changes: dict[str, Any], code: str) -> None:
    verdict = judged(**changes)
    assert (verdict.decision, verdict.code) == ("refuse", code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"checks": WELL}, "checks_pass"),
        ({"checks": StatusChecks(instance="initializing", system="initializing")}, "checks_pass"),
        ({"peers": (a_peer(2, sees=()), unheard(3))}, "second_failure"),
        ({"peers": (unheard(2), unheard(3))}, "second_failure"),
        ({"peers": (a_peer(2), unheard(3))}, "peers_silent"),
        ({"peers": (a_peer(2, cluster_key="K1"), a_peer(3, cluster_key="K2"))}, "cluster_split"),
        ({"peers": (a_peer(2), a_peer(3, integrity=False))}, "cluster_unsettled"),
    ],
)
def test_what_may_still_become_clear_is_looked_at_again(changes: dict[str, Any], code: str) -> None:
    verdict = judged(**changes)
    assert (verdict.decision, verdict.code) == ("wait", code)


def test_a_dead_agent_alone_is_told_from_a_dead_node_by_one_peer() -> None:
    verdict = judged(peers=(a_peer(2, sees=("A1", "A3")), a_peer(3, sees=("A1", "A2"))), checks=WELL)
    assert verdict.code == "node_alive"
    assert "see to the SSM agent" in verdict.message


@pytest.mark.parametrize("state", ["stopped", "stopping", "shutting-down", "terminated"])
def test_an_instance_that_aws_ended_is_replaced_by_alarm_and_one_that_a_person_ended_by_hand_alone(state: str) -> None:
    fault = a_machine(state=state, state_reason="Server.InternalError: internal error")
    person = a_machine(state=state, state_reason="Client.UserInitiatedShutdown: User initiated shutdown")
    none = StatusChecks()
    assert judged(machine=fault, checks=none).decision == "replace"
    assert judged(machine=person, checks=none).decision == "refuse"
    assert judged(machine=person, checks=none, by_alarm=False).decision == "replace"


def test_the_cool_down_ends() -> None:
    def last(seconds: float) -> LastReplacement:
        return LastReplacement(node_id="A1", run_id="r", at=at(-seconds))

    assert judged(last=last(COOL_DOWN_S - 1)).code == "cool_down"
    assert judged(last=last(COOL_DOWN_S)).decision == "replace"


NODES = st.integers(2, 6)


@st.composite
def estates(draw: st.DrawFn) -> tuple[Facts, bool]:
    """A cluster of any size in any state, and whether anybody heard or saw node A1."""
    size = draw(NODES)
    others = [f"A{n}" for n in range(2, size + 1)]
    peers = []
    for node_id in others:
        word = draw(st.sampled_from(Word))
        sees = tuple(draw(st.sets(st.sampled_from(["A1", *others])))) if word is Word.SERVER_ANSWERS else ()
        key, integrity = draw(st.sampled_from(["K1", "K2"])), draw(st.booleans())
        peers.append(PeerView(node_id=node_id, word=word, sees=sees, cluster_key=key, integrity=integrity))
    word = draw(st.sampled_from(Word))
    checks = StatusChecks(
        instance=draw(st.sampled_from(["ok", "impaired", "initializing"])),
        system=draw(st.sampled_from(["ok", "impaired"])),
    )
    machine = a_machine(state=draw(st.sampled_from(["running", "stopped", "terminated", "absent", "pending"])))
    found = facts(peers=tuple(peers), word=word, checks=checks, machine=machine, by_alarm=draw(st.booleans()))
    return found, word is not Word.UNHEARD or any("A1" in peer.sees for peer in peers)


@given(estates())
def test_nobody_is_replaced_whom_anybody_hears_or_sees_or_without_most_of_the_peers(estate: tuple[Facts, bool]) -> None:
    found, noticed = estate
    verdict = judge_failure(found, cool_down_s=COOL_DOWN_S, now=NOON)
    if verdict.decision != "replace":
        return
    told = [peer for peer in found.peers if peer.word is Word.SERVER_ANSWERS]
    assert not noticed
    assert 2 * len(told) > len(found.peers)
    assert len({peer.cluster_key for peer in told}) == 1
    assert all(peer.integrity for peer in told)
    seen = {node_id for peer in told for node_id in peer.sees}
    assert all(peer.word is Word.SERVER_ANSWERS or peer.node_id in seen for peer in found.peers)
    assert found.machine.state not in {"running", "pending"} or set(found.checks.failed) & {"instance", "system"}
