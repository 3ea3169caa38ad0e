"""Step Functions: does an execution still run?"""

from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.execution import Execution, Life

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

_UNKNOWN = {"ExecutionDoesNotExist", "InvalidArn"}
_CAN_ACT = {"RUNNING", "PENDING_REDRIVE"}
"""A redrive that is pending will run again."""


class Executions:
    """Executions of our state machines."""

    def __init__(self, states: "SFNClient") -> None:
        self._states = states

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("stepfunctions"))

    def of_arn(self, arn: str) -> Execution:
        """What became of an execution; one that Step Functions does not know is ``gone``."""
        with translated("DescribeExecution"):
            try:
                status = str(self._states.describe_execution(executionArn=arn)["status"])
            except ClientError as error:
                if code_of(error) not in _UNKNOWN:
                    raise
                return Execution(arn=arn, life=Life.GONE, status=Life.GONE)
        return Execution(arn=arn, life=Life.RUNNING if status in _CAN_ACT else Life.ENDED, status=status)
