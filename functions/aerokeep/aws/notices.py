"""SNS: tell the operators something that no failed execution tells."""

from typing import Any, Self

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import translated

LONGEST_SUBJECT = 100
"""SNS refuses longer ones."""


class Notices:
    """The topic of failures, to which operators are subscribed."""

    def __init__(self, sns: Any, topic_arn: str) -> None:  # noqa: ANN401 - boto3's own type
        self._sns = sns
        self._topic_arn = topic_arn

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("sns"), setting("AEROKEEP_FAILURES_TOPIC"))

    def publish(self, subject: str, message: str) -> None:
        """Send one message; a second call sends a second one."""
        with translated("Publish"):
            self._sns.publish(TopicArn=self._topic_arn, Subject=subject[:LONGEST_SUBJECT], Message=message)
