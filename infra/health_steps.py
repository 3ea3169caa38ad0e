"""The steps of the health journey: what each may do and why."""

from infra.compute_grants import ComputeGrants
from infra.grants import INVENTORY, RUNS, StepGrants
from infra.step import Step


def _ask_nodes(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.list_cluster_parameters()
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.order("health")  # RecordHealth reads the answers
    may.use_catalog("GetItem")  # is the cluster being put together?
    may.read_vault(INVENTORY)
    may.write_vault(RUNS)


def _record_health(may: ComputeGrants) -> None:
    may.put_metrics()
    may.describe("ssm:GetCommandInvocation", "ssm:ListCommandInvocations", sid="ReadCommands")
    may.use_catalog("GetItem")
    may.read_vault(RUNS)


def _record_ages(may: ComputeGrants) -> None:
    may.read_cluster_parameters()
    may.list_cluster_parameters()
    may.use_catalog("Query")  # the newest points of each cluster
    may.put_metrics()


HEALTH = (
    Step("AskNodes", _ask_nodes),
    Step("RecordHealth", _record_health),
    Step("RecordAges", _record_ages),
)
