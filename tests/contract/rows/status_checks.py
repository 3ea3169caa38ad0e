"""EC2's status checks of instances."""

from sandbox.region import Pace
from tests.contract.account import Account
from tests.contract.behaviour import Check, behaviour
from tests.contract.estate import ec2, is_in

INSTANCE = "moto.ec2.models.instances:Instance."
CHECKS = "EC2 user guide, status checks; EC2 API reference, DescribeInstanceStatus"
HARDWARE = "hardware fails when it likes"


def _told_check(aws: Account, name: str) -> str:
    told = ec2(aws).describe_instance_status(InstanceIds=[aws.node().instance_id])["InstanceStatuses"][0]
    return str(told.get(name, {}).get("Status"))


@behaviour(
    "Status checks are initializing after a boot.",
    source=CHECKS,
    calls=("ec2.DescribeInstanceStatus",),
    hooks=(f"{INSTANCE}instance_status", f"{INSTANCE}system_status"),
    pace=Pace(status_checks_s=3600.0),
)
def _initializing(aws: Account) -> None:
    assert (_told_check(aws, "InstanceStatus"), _told_check(aws, "SystemStatus")) == ("initializing", "initializing")


def _impaired(check: str, name: str) -> Check:
    def play(aws: Account) -> None:
        node = aws.node().instance_id
        aws.region.ec2.impair(node, check)  # type: ignore[arg-type]  # one of the three
        assert aws.eventually(lambda: _told_check(aws, name) == "impaired")
        aws.region.ec2.heal(node)
        assert aws.eventually(lambda: _told_check(aws, name) == "ok")

    return play


for which, spelled in (("instance", "InstanceStatus"), ("system", "SystemStatus"), ("ebs", "AttachedEbsStatus")):
    behaviour(
        f"A failed {which} check shows as impaired, with the instance still running.",
        source=CHECKS,
        calls=("ec2.DescribeInstanceStatus",),
        hooks=(f"{INSTANCE}{'attached_ebs' if which == 'ebs' else which}_status",),
        sandbox_only=HARDWARE,
    )(_impaired(which, spelled))


@behaviour(
    "Checks of what does not run are not applicable, and told only if all instances are asked for.",
    source=CHECKS,
    calls=("ec2.DescribeInstanceStatus",),
)
def _not_applicable(aws: Account) -> None:
    node = aws.node().instance_id
    ec2(aws).stop_instances(InstanceIds=[node])
    assert is_in(aws, node, "stopped")
    assert ec2(aws).describe_instance_status(InstanceIds=[node])["InstanceStatuses"] == []
    told = ec2(aws).describe_instance_status(InstanceIds=[node], IncludeAllInstances=True)["InstanceStatuses"][0]
    assert told["InstanceStatus"]["Status"] == "not-applicable"
