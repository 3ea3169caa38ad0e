"""Run Command: the ways in which commands end."""

from sandbox.region import Pace, VolumeSpec
from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import WITHOUT_AGENT, becomes, command, document, heard, invocation, next_message, sent

GUIDE = "Systems Manager user guide, Understanding command statuses"
API = "Systems Manager API reference"
CANCEL = "moto.ssm.responses:SimpleSystemManagerResponse.cancel_command"
HURRIED = Pace(ssm_timeout_scale=0.01, ssm_retry_s=0.05)
"""30 seconds last 0.3."""
SLOW = Pace(ssm_delivery_s=0.3, ssm_jitter_s=0.0, ssm_timeout_scale=0.03, ssm_retry_s=0.05)
NEVER = "the row has to make an agent fail"


@behaviour(
    "A step over its own time is killed: ExecutionTimedOut, with no exit code.",
    source=GUIDE,
    calls=("ssm.SendCommand",),
    sandbox_only=WITHOUT_AGENT,
)
def _too_long(aws: Account) -> None:
    sent_id = sent(aws, "sleep 20", timeout_s="0.2")
    assert becomes(aws, sent_id, "TimedOut", "ExecutionTimedOut")
    assert invocation(aws, sent_id)["ResponseCode"] == -1
    assert command(aws, sent_id)["StatusDetails"] == "ExecutionTimedOut"


@behaviour(
    "A command whose agent never replies ends as DeliveryTimedOut, although it ran.",
    source=GUIDE,
    calls=("ssm.SendCommand",),
    sandbox_only=NEVER,
    pace=HURRIED,
)
def _mute(aws: Account) -> None:
    node, region = aws.node().instance_id, aws.region
    region.set_agent(node, online=True, replies=False)
    mark = region.plane.host_dir(node) / "ran"
    sent_id = sent(aws, f"touch {mark}", timeout_s="0.3", TimeoutSeconds=30)
    assert becomes(aws, sent_id, "TimedOut", "DeliveryTimedOut")
    assert mark.exists()
    assert invocation(aws, sent_id)["ResponseCode"] == -1


@behaviour(
    "A command for an agent that has gone is delayed, and expires after delivery time plus execution time.",
    source=GUIDE,
    calls=("ssm.SendCommand",),
    sandbox_only=NEVER,
    pace=SLOW,
)
def _gone(aws: Account) -> None:
    sent_id = sent(aws, "true", timeout_s="0.3", TimeoutSeconds=30)
    aws.region.set_agent(aws.node().instance_id, online=False)
    assert becomes(aws, sent_id, "Delayed")
    assert becomes(aws, sent_id, "TimedOut", "DeliveryTimedOut")
    told = command(aws, sent_id)
    assert (told["DeliveryTimedOutCount"], told["ErrorCount"]) == (1, 0)


@behaviour(
    "A command waits for an agent that comes back in time, and runs late.",
    source=GUIDE,
    calls=("ssm.SendCommand",),
    sandbox_only=NEVER,
    pace=Pace(ssm_delivery_s=0.2, ssm_jitter_s=0.0),
)
def _late(aws: Account) -> None:
    sent_id, node = sent(aws, "true"), aws.node().instance_id
    aws.region.set_agent(node, online=False)
    aws.region.set_agent(node, online=True, hears=False)
    assert invocation(aws, sent_id)["Status"] == "Pending"
    aws.region.set_agent(node, online=True)
    assert becomes(aws, sent_id, "Success")


@behaviour(
    "CancelCommand kills what runs, if all goes well.",
    source=f"{API}, CancelCommand",
    hooks=(CANCEL,),
    sandbox_only=WITHOUT_AGENT,
)
def _cancelled(aws: Account) -> None:
    sent_id = sent(aws, "sleep 20")
    assert aws.eventually(lambda: invocation(aws, sent_id)["ExecutionStartDateTime"] != "")
    aws.client("ssm").cancel_command(CommandId=sent_id)
    assert becomes(aws, sent_id, "Cancelled")
    assert command(aws, sent_id)["Status"] == "Cancelled"


@behaviour(
    "CancelCommand does not guarantee that the process ends: it may go on and succeed.",
    source=f"{API}, CancelCommand",
    sandbox_only=NEVER,
)
def _goes_on(aws: Account) -> None:
    node = aws.node().instance_id
    aws.region.set_agent(node, online=True, heeds_cancel=False)
    gate = aws.region.plane.host_dir(node) / "gate"
    sent_id = sent(aws, f"until test -e {gate}; do sleep 0.02; done; echo done")
    assert aws.eventually(lambda: invocation(aws, sent_id)["ExecutionStartDateTime"] != "")
    aws.client("ssm").cancel_command(CommandId=sent_id)
    assert becomes(aws, sent_id, "Cancelling")
    gate.touch()
    assert becomes(aws, sent_id, "Success")


@behaviour(
    "Five commands run at once on a node; the sixth is in progress, but waits.",
    source="amazon-ssm-agent README, CommandWorkersLimit",
    sandbox_only=WITHOUT_AGENT,
)
def _workers(aws: Account) -> None:
    folder = aws.region.plane.host_dir(aws.node().instance_id)
    ids = [sent(aws, f"until test -e {folder}/gate; do sleep 0.02; done") for _ in range(6)]

    def begun() -> list[str]:
        return [i for i in ids if invocation(aws, i)["ExecutionStartDateTime"]]

    assert aws.eventually(lambda: len(begun()) == 5)
    (waiting,) = set(ids) - set(begun())
    assert becomes(aws, waiting, "InProgress")
    assert len(begun()) == 5
    (folder / "gate").touch()
    assert all(becomes(aws, sent_id, "Success") for sent_id in ids)


@behaviour(
    "Targets are found by tag when the command is sent; where nobody is, it ends as NoInstancesInTag.",
    source=f"{API}, SendCommand, Targets; {GUIDE}",
    sandbox_only=WITHOUT_AGENT,
)
def _targets(aws: Account) -> None:
    node = aws.node().instance_id
    aws.client("ec2").create_tags(Resources=[node], Tags=[{"Key": "row", "Value": "yes"}])
    sent_id = sent(aws, "true", Targets=[{"Key": "tag:row", "Values": ["yes"]}])
    assert becomes(aws, sent_id, "Success")
    nobody = sent(aws, "true", Targets=[{"Key": "tag:row", "Values": ["no"]}])
    told = command(aws, nobody)
    assert (told["StatusDetails"], told["TargetCount"]) == ("NoInstancesInTag", 0)


@behaviour(
    "With more errors than MaxErrors, nobody else gets the command: Terminated.",
    source=f"{GUIDE}; assumed: the status beside this detail is Cancelled",
    sandbox_only=WITHOUT_AGENT,
)
def _terminated(aws: Account) -> None:
    first = aws.node().instance_id
    second = aws.region.launch_node("second", "10.77.0.78", volumes=(VolumeSpec(device="/dev/sdf", size_gib=1),))
    nodes = [first, second.instance_id]
    sent_id = sent(aws, "exit 1", InstanceIds=nodes, MaxConcurrency="1", MaxErrors="0")

    def details() -> list[str]:
        return sorted(invocation(aws, sent_id, node)["StatusDetails"] for node in nodes)

    assert aws.eventually(lambda: details() == ["Failed", "Terminated"])
    assert command(aws, sent_id)["Status"] == "Failed"
    every = sent(aws, "exit 1", InstanceIds=nodes, MaxConcurrency="1", MaxErrors="100%")
    assert aws.eventually(lambda: command(aws, every)["CompletedCount"] == 2)
    assert (command(aws, every)["ErrorCount"], command(aws, every)["StatusDetails"]) == (2, "Incomplete")


@behaviour(
    "A document that is not meant for the node's platform runs nowhere: InvalidPlatform.",
    source=GUIDE,
    sandbox_only=WITHOUT_AGENT,
)
def _platform(aws: Account) -> None:
    name = document(aws, "true", platform="Windows")
    assert becomes(aws, sent(aws, DocumentName=name), "Failed", "InvalidPlatform")


@behaviour(
    "A targeted node that does not answer gets nothing: Undeliverable, which is no error.",
    source=GUIDE,
    sandbox_only=NEVER,
)
def _undeliverable(aws: Account) -> None:
    node = aws.node().instance_id
    aws.region.set_agent(node, online=False)
    sent_id = sent(aws, "true", Targets=[{"Key": "InstanceIds", "Values": [node]}])
    assert becomes(aws, sent_id, "Failed", "Undeliverable")
    told = command(aws, sent_id)
    assert (told["StatusDetails"], told["ErrorCount"]) == ("Incomplete", 0)


@behaviour(
    "A command for more nodes than the account may have pending runs nowhere: RateExceeded.",
    source=f"{GUIDE}; assumed: the quota itself is not published",
    sandbox_only="the quota of a real account is not known",
    pace=Pace(ssm_most_pending=1),
)
def _too_many(aws: Account) -> None:
    folder = aws.region.plane.host_dir(aws.node().instance_id)
    first = sent(aws, f"until test -e {folder}/gate; do sleep 0.02; done")
    second = sent(aws, "true")
    assert command(aws, second)["StatusDetails"] == "RateExceeded"
    (folder / "gate").touch()
    assert becomes(aws, first, "Success")
    assert becomes(aws, sent(aws, "true"), "Success")


@behaviour(
    "Each state of a command and of its invocations becomes an event of aws.ssm.",
    source="Systems Manager user guide, Monitoring with EventBridge",
    sandbox_only=WITHOUT_AGENT,
)
def _events(aws: Account) -> None:
    url = heard(
        aws,
        {
            "source": ["aws.ssm"],
            "detail-type": ["EC2 Command Invocation Status-change Notification"],
            "detail": {"status": ["Success"]},
        },
        InputPath="$.detail",
    )
    whole = heard(aws, {"detail-type": ["EC2 Command Status-change Notification"], "detail": {"status": ["Success"]}})
    sent_id = sent(aws, "true")
    assert sent_id in next_message(aws, url)["Body"]
    assert sent_id in next_message(aws, whole)["Body"]
