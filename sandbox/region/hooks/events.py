"""EventBridge: events reach SNS, SQS, Step Functions and Lambda; what topics received can be read."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.events.models import events_backends
from moto.sns.models import sns_backends

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _send(region: "Region", old: Moto) -> Moto:
    def send_to_targets(self: Moto, original_event: Moto, transform_input: bool = True) -> None:  # noqa: FBT001, FBT002  # moto's own signature
        if not self.event_pattern.get_pattern() or self.state != "ENABLED":
            return
        if not self.event_pattern.matches_event(original_event):
            return
        event = {**original_event, "time": _iso(original_event["time"])}
        unknown = [t for t in self.targets if not region.bus.deliver(t, event, rule_arn=self.arn)]
        if unknown:
            kept, self.targets = self.targets, unknown
            try:
                old(self, original_event, transform_input)
            finally:
                self.targets = kept

    return send_to_targets


def _iso(at: Moto) -> str:
    if isinstance(at, str):
        return at
    return datetime.fromtimestamp(float(at), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def heard(region: "Region", source: str) -> bool:
    """Some rule may want events of this source; the others need not be put at all."""
    for bus in list(events_backends[region.account][region.region].event_buses.values()):
        for rule in list(bus.rules.values()):
            pattern = rule.event_pattern.get_pattern()
            if pattern and rule.state == "ENABLED" and _may_want(pattern, source):
                return True
    return False


def _may_want(pattern: Moto, source: str) -> bool:
    wanted = pattern.get("source")
    return wanted is None or any(not isinstance(one, str) or one == source for one in wanted)


def topic_messages(region: "Region", topic_arn: str) -> list[str]:
    """The messages that a topic has received, oldest first (SNS itself keeps none)."""
    topic = sns_backends[region.account][region.region].topics[topic_arn]
    return [str(entry[1]) for entry in topic.sent_notifications]


HOOKS = (
    Hook(
        "moto.events.models:Rule.send_to_targets",
        "moto delivers to no topic, machine or function, mangles unquoted placeholders, and wakes scheduled rules.",
        _send,
        ("self", "original_event", "transform_input"),
    ),
)
