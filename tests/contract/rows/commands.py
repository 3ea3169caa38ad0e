"""Run Command: how commands are sent, seen and listed."""

from functools import partial
from typing import Any

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import WITHOUT_AGENT, a_name, becomes, command, document, invocation, sent

RESPONSES = "moto.ssm.responses:SimpleSystemManagerResponse."
SEND = f"{RESPONSES}send_command"
API = "Systems Manager API reference"
NOBODY = "i-0123456789abcdef0"
INVISIBLE_S = 1.0


@behaviour(
    "A command is first pending or in progress; its output and exit code are there when it has ended.",
    source=f"{API}, GetCommandInvocation",
    calls=("ssm.SendCommand", "ssm.GetCommandInvocation"),
    hooks=(SEND, f"{RESPONSES}get_command_invocation"),
    sandbox_only=WITHOUT_AGENT,
)
def _runs(aws: Account) -> None:
    sent_id = sent(aws, "sleep 0.2; echo out; echo err >&2; exit 3")
    first = invocation(aws, sent_id)
    assert first["Status"] in ("Pending", "InProgress")
    assert (first["StandardOutputContent"], first["ResponseCode"]) == ("", -1)
    assert becomes(aws, sent_id, "Failed")
    last = invocation(aws, sent_id)
    told = (last["ResponseCode"], last["StandardOutputContent"], last["StandardErrorContent"])
    assert told == (3, "out\n", "err\n")


REFUSALS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("SendCommand refuses a document that does not exist.", {"DocumentName": "no-such-document"}, "InvalidDocument"),
    (
        "SendCommand refuses a version that the document lacks.",
        {"DocumentVersion": "9"},
        "InvalidDocumentVersion",
    ),
    ("SendCommand refuses an instance that is not managed.", {"InstanceIds": [NOBODY]}, "InvalidInstanceId"),
    ("SendCommand refuses an instance that is named twice.", {"InstanceIds": [NOBODY] * 2}, "DuplicateInstanceId"),
    (
        "SendCommand refuses more than 50 instance ids.",
        {"InstanceIds": [f"i-{n:017x}" for n in range(51)]},
        "ValidationException",
    ),
    ("SendCommand refuses a parameter that the document lacks.", {"Parameters": {"No": ["1"]}}, "InvalidParameters"),
    ("SendCommand refuses a delivery time below 30 seconds.", {"TimeoutSeconds": 29}, "ValidationException"),
)


def _refused(change: dict[str, Any], code: str, aws: Account) -> None:
    request = {"DocumentName": document(aws, "true"), "InstanceIds": [aws.node().instance_id], **change}
    assert _code(aws, "send_command", **request) == code


def _code(aws: Account, action: str, **request: Any) -> str:  # noqa: ANN401  # a request's own fields
    """Past the SDK's own checks."""
    client = aws.region.client("ssm", attempts=1, validate=False)
    try:
        getattr(client, action)(**request)
    except client.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


for _says, _change, _wanted in REFUSALS:
    behaviour(
        _says,
        source=f"{API}, SendCommand, Errors and Request Parameters",
        calls=("ssm.SendCommand",),
        sandbox_only=WITHOUT_AGENT,
    )(partial(_refused, _change, _wanted))


@behaviour(
    "Right after SendCommand the invocation may not exist yet, and lists are empty.",
    source="boto3 issue 2701 and aws-cli issue 3546",
    calls=("ssm.GetCommandInvocation", "ssm.ListCommandInvocations"),
    sandbox_only=WITHOUT_AGENT,
    pace=Pace(ssm_invisible_s=INVISIBLE_S),
)
def _invisible(aws: Account) -> None:
    sent_id, node = sent(aws, "true"), aws.node().instance_id
    code = aws.refused("ssm", "get_command_invocation", CommandId=sent_id, InstanceId=node)
    assert code == "InvocationDoesNotExist"
    assert aws.client("ssm").list_command_invocations(CommandId=sent_id)["CommandInvocations"] == []
    assert aws.eventually(lambda: not aws.refused("ssm", "get_command_invocation", CommandId=sent_id, InstanceId=node))


@behaviour(
    "ListCommandInvocations comes in pages, cuts output at 2,500 characters, and refuses pages of more than 50.",
    source=f"{API}, ListCommandInvocations and CommandPlugin",
    calls=("ssm.ListCommandInvocations",),
    hooks=(f"{RESPONSES}list_command_invocations",),
    sandbox_only=WITHOUT_AGENT,
)
def _listed(aws: Account) -> None:
    ids = [sent(aws, "head -c 3000 /dev/zero | tr '\\0' x") for _ in range(2)]
    assert all(becomes(aws, sent_id, "Success") for sent_id in ids)
    pages = aws.client("ssm").get_paginator("list_command_invocations")
    found = list(pages.paginate(Details=True, PaginationConfig={"PageSize": 1}))
    entries = [entry for page in found for entry in page["CommandInvocations"]]
    assert len(found) == 2
    assert {entry["CommandId"] for entry in entries} == set(ids)
    assert {len(entry["CommandPlugins"][0]["Output"]) for entry in entries} == {2_500}
    assert _code(aws, "list_command_invocations", MaxResults=51) == "ValidationException"
    assert aws.refused("ssm", "list_command_invocations", NextToken="none") == "InvalidNextToken"


@behaviour(
    "ListCommands tells the status of the whole command, its counts, and when it expires.",
    source=f"{API}, Command",
    hooks=(f"{RESPONSES}list_commands",),
    sandbox_only=WITHOUT_AGENT,
)
def _whole(aws: Account) -> None:
    sent_id = sent(aws, "exit 1", timeout_s="7", TimeoutSeconds=30)
    assert becomes(aws, sent_id, "Failed")
    told = command(aws, sent_id)
    assert (told["Status"], told["TargetCount"], told["CompletedCount"], told["ErrorCount"]) == ("Failed", 1, 1, 1)
    assert round((told["ExpiresAfter"] - told["RequestedDateTime"]).total_seconds()) == 37
    assert aws.refused("ssm", "list_commands", CommandId="00000000-0000-0000-0000-000000000000") == "InvalidCommandId"


@behaviour(
    "GetCommandInvocation cuts output at 24,000 and errors at 8,000 characters.",
    source=f"{API}, GetCommandInvocation",
    calls=("ssm.GetCommandInvocation",),
    sandbox_only=WITHOUT_AGENT,
)
def _cut(aws: Account) -> None:
    sent_id = sent(aws, "head -c 30000 /dev/zero | tr '\\0' x; head -c 9000 /dev/zero | tr '\\0' y >&2")
    assert becomes(aws, sent_id, "Success")
    told = invocation(aws, sent_id)
    assert (len(told["StandardOutputContent"]), len(told["StandardErrorContent"])) == (24_000, 8_000)


@behaviour(
    "DescribeInstanceInformation knows who is connected, and gives pages of 5 to 50.",
    source=f"{API}, DescribeInstanceInformation",
    calls=("ssm.DescribeInstanceInformation",),
    hooks=(f"{RESPONSES}describe_instance_information",),
    sandbox_only=WITHOUT_AGENT,
)
def _information(aws: Account) -> None:
    node, ssm = aws.node().instance_id, aws.client("ssm")
    wanted = [{"Key": "InstanceIds", "Values": [node]}]
    told = ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
    assert [(entry["InstanceId"], entry["PingStatus"]) for entry in told] == [(node, "Online")]
    aws.region.set_agent(node, online=False)
    told = ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
    assert told[0]["PingStatus"] == "ConnectionLost"
    assert aws.refused("ssm", "send_command", DocumentName=document(aws, "true"), InstanceIds=[node]) == (
        "InvalidInstanceId"
    )
    assert _code(aws, "describe_instance_information", MaxResults=4) == "ValidationException"


@behaviour(
    "GetParameter says ParameterNotFound; GetParametersByPath finds all, in pages of ten.",
    source=f"{API}, GetParameter and GetParametersByPath",
    calls=("ssm.GetParameter", "ssm.GetParametersByPath"),
)
def _parameters(aws: Account) -> None:
    ssm, path = aws.client("ssm"), f"/{a_name()}"
    names = [f"{path}/{number}" for number in range(11)]
    for name in names:
        ssm.put_parameter(Name=name, Value="{}", Type="String")
    aws.later(lambda: [ssm.delete_parameter(Name=name) for name in names])
    assert aws.refused("ssm", "get_parameter", Name=f"{path}/none") == "ParameterNotFound"
    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path=path))
    assert [len(page["Parameters"]) for page in pages] == [10, 1]
    assert {entry["Name"] for page in pages for entry in page["Parameters"]} == set(names)
