"""The steps of the protect journey: what each may do and why."""

from infra.compute_grants import ComputeGrants
from infra.grants import INVENTORY, INVENTORY_FILES, RUNS, StepGrants
from infra.step import Step


def _survey_nodes(may: StepGrants) -> None:
    may.read_cluster_parameters()
    may.describe("ec2:DescribeInstances", "ec2:DescribeVolumes", "ssm:DescribeInstanceInformation", sid="FindInstances")
    may.send("survey")
    may.use_catalog("GetItem")  # is the cluster being put together?
    may.read_vault(RUNS)
    may.write_vault(RUNS)


def _capture_conf(may: StepGrants) -> None:
    may.send("capture")
    may.use_catalog("GetItem")
    may.read_vault(RUNS, INVENTORY)  # hosts read their list of uploads with a URL that carries the rights of this role
    may.write_vault(RUNS, INVENTORY_FILES)  # INVENTORY_FILES: so do the presigned PUTs of the hosts


def _protect_nodes(may: ComputeGrants) -> None:
    may.protect_nodes()
    may.watch_nodes()
    may.use_catalog("GetItem")
    may.read_vault(RUNS, INVENTORY)
    may.write_vault(RUNS, INVENTORY)


PROTECT = (
    Step("SurveyNodes", _survey_nodes),
    Step("CaptureConf", _capture_conf),
    Step("ProtectNodes", _protect_nodes),
)
