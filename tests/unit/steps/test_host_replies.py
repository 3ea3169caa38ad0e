"""What hosts answer through SSM: parsed once, refused by exit code, waited for until the deadline."""

import json
from datetime import timedelta
from typing import Any

import pytest
from aerokeep.aws.ssm import CommandState, Configurations, HostReply, Hosts
from aerokeep.model.errors import AerokeepError, ConflictError, CorruptError, NotReadyError, RejectedError
from aerokeep.steps.shared.asking import HOSTS_TIMEOUT_S, Asked, host_error, refusals, settled

from tests.builders import NOON, at
from tests.unit.steps.stubbed import a_stub

COMMAND = "11111111-2222-3333-4444-555555555555"
NODE, OTHER = "i-0aaaaaaaaaaaaaaa1", "i-0aaaaaaaaaaaaaaa2"
REFUSAL = {"ok": False, "error": {"code": "guard_held", "detail": "by run x"}}


def replies_to(status: str, **invocation: Any) -> dict[str, HostReply]:  # noqa: ANN401 - fields of the API
    """What is made of one listed invocation and, where it is fetched, its details."""
    client, stubber = a_stub("ssm")
    listed = {"CommandInvocations": [{"CommandId": COMMAND, "InstanceId": NODE, "Status": status}]}
    stubber.add_response("list_command_invocations", listed, {"CommandId": COMMAND})
    if invocation:
        wanted = {"CommandId": COMMAND, "InstanceId": NODE}
        stubber.add_response("get_command_invocation", {**wanted, **invocation}, wanted)
    with stubber:
        found = Hosts(client, "aerokeep-").replies([COMMAND], [NODE, OTHER])
    stubber.assert_no_pending_responses()
    return found


def test_an_answer_is_the_one_json_object_on_stdout() -> None:
    reply = replies_to("Success", ResponseCode=0, StandardOutputContent='{"ok": true, "state": "resumed"}')[NODE]
    assert (reply.state, reply.exit_code, reply.refusal, reply.refusal_code) == (CommandState.ANSWERED, 0, None, None)
    assert reply.body["state"] == "resumed"


def test_a_refusal_is_told_by_its_code_and_detail() -> None:
    reply = replies_to("Failed", ResponseCode=4, StandardOutputContent=json.dumps(REFUSAL))[NODE]
    assert (reply.exit_code, reply.refusal, reply.refusal_code) == (4, "guard_held: by run x", "guard_held")


@pytest.mark.parametrize(
    ("stdout", "stderr", "detail"),
    [
        ("", "python3: not found", "python3: not found"),
        ("Killed", "", "Killed"),
        ("[1, 2]", "", "[1, 2]"),
        ('{"ok": true', "", '{"ok": true'),
        ("", "x" * 1000, "x" * 300),
    ],
)
def test_a_host_that_prints_no_json_object_is_unreadable_and_its_words_are_kept(
    stdout: str, stderr: str, detail: str
) -> None:
    told = {"StandardOutputContent": stdout, "StandardErrorContent": stderr}
    reply = replies_to("Failed", ResponseCode=127, **told)[NODE]
    assert reply.refusal == f"host_unreadable: {detail}"


def test_an_exit_code_of_0_without_ok_is_no_success() -> None:
    reply = replies_to("Success", ResponseCode=0, StandardOutputContent='{"schema": 1}')[NODE]
    assert reply.refusal is not None


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Delayed", "Cancelling", "Whatever AWS adds"])
def test_a_command_under_way_is_not_fetched(status: str) -> None:
    found = replies_to(status)
    assert found[NODE].state is CommandState.RUNNING
    assert found[OTHER].state is CommandState.RUNNING, "one that is not listed yet"


@pytest.mark.parametrize("status", ["TimedOut", "Cancelled"])
def test_a_command_that_was_not_delivered_is_lost(status: str) -> None:
    assert replies_to(status)[NODE].state is CommandState.LOST


def test_a_call_that_is_refused_for_one_node_reaches_the_others_one_by_one() -> None:
    client, stubber = a_stub("ssm")

    def sent(instance_ids: list[str]) -> dict[str, Any]:
        common = {"TimeoutSeconds": 30, "MaxConcurrency": "100%", "MaxErrors": "100%"}
        return {"DocumentName": "aerokeep-resume-writes", "InstanceIds": instance_ids, "Parameters": {}, **common}

    stubber.add_client_error("send_command", "InvalidInstanceId", expected_params=sent([NODE, OTHER]))
    stubber.add_client_error("send_command", "InvalidInstanceId", expected_params=sent([NODE]))
    stubber.add_response("send_command", {"Command": {"CommandId": COMMAND}}, sent([OTHER]))
    with stubber:
        reached = Hosts(client, "aerokeep-").send_where_heard("resume-writes", [OTHER, NODE])
    assert reached == ([COMMAND], {OTHER})


def test_an_unknown_cluster_is_refused_with_the_remedy() -> None:
    client, stubber = a_stub("ssm")
    stubber.add_client_error("get_parameter", "ParameterNotFound", expected_params={"Name": "/clusters/demo"})
    with stubber, pytest.raises(RejectedError, match="correct the name, or add the cluster and deploy"):
        Configurations(client, "/clusters").of_cluster("demo")


def a_reply(instance_id: str = NODE, **changes: Any) -> HostReply:  # noqa: ANN401 - any field
    fields = {"command_id": COMMAND, "state": CommandState.ANSWERED, "status": "Success", "body": {"ok": True}}
    return HostReply(instance_id=instance_id, **{**fields, **changes})


RUNNING = a_reply(OTHER, state=CommandState.RUNNING, status="InProgress", body={})
LOST = a_reply(OTHER, state=CommandState.LOST, status="TimedOut", body={})
REFUSED = a_reply(OTHER, status="Failed", exit_code=4, body=REFUSAL)


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        (1, CorruptError),
        (2, RejectedError),
        (3, RejectedError),
        (4, ConflictError),
        (5, NotReadyError),
        (127, CorruptError),
    ],
)
def test_the_exit_code_tells_the_class_of_a_refusal(exit_code: int, kind: type[AerokeepError]) -> None:
    error = host_error("stop-writes", a_reply(exit_code=exit_code, body=REFUSAL))
    assert type(error) is kind
    assert str(error) == f"guard_held: by run x (stop-writes on {NODE})"


def test_all_answers_are_settled_and_a_missing_one_is_waited_for_until_the_deadline() -> None:
    asked = Asked(command_ids=(COMMAND,), instance_ids=(NODE, OTHER), asked_at=NOON)
    assert asked.deadline == NOON + timedelta(seconds=HOSTS_TIMEOUT_S)
    early, late = at(HOSTS_TIMEOUT_S - 1), at(HOSTS_TIMEOUT_S)
    assert settled("survey", {NODE: a_reply(), OTHER: a_reply(OTHER)}, deadline=asked.deadline, now=late)
    assert not settled("survey", {NODE: a_reply(), OTHER: RUNNING}, deadline=asked.deadline, now=early)
    with pytest.raises(NotReadyError, match=f"^host_silent: survey was not answered by {OTHER}: check the SSM agent"):
        settled("survey", {NODE: a_reply(), OTHER: RUNNING}, deadline=asked.deadline, now=late)


def test_a_refusal_is_told_at_once_also_while_others_are_at_it() -> None:
    with pytest.raises(ConflictError, match="guard_held"):
        settled("survey", {NODE: RUNNING, OTHER: REFUSED}, deadline=at(60), now=NOON)
    assert refusals([a_reply(), RUNNING, LOST, REFUSED]) == [REFUSED]


def test_a_lost_host_is_told_before_the_deadline() -> None:
    with pytest.raises(NotReadyError, match=f"^host_lost: survey did not reach {OTHER}: check the SSM agent there"):
        settled("survey", {NODE: a_reply(), OTHER: LOST}, deadline=at(60), now=NOON)
