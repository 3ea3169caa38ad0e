"""What a topic was told: of executions, apart from alarms, which any region has sooner or later, and from words."""

import json
from typing import Any

from sandbox.region import Region


def told_of_executions(region: Region, topic_arn: str) -> list[dict[str, Any]]:
    """The details of the executions whose end a topic was told, oldest first."""
    messages = [json.loads(text) for text in region.topic_messages(topic_arn) if text.startswith("{")]
    return [message["detail"] for message in messages if message.get("source") == "aws.states"]
