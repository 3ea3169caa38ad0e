"""Read topics, queues, rules, schedules, alarms and dashboards back in the spelling of templates."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Held = Mapping[str, Any]


def topic(client: Client, resource: Resource) -> Held:
    """An SNS topic."""
    held = client("sns").get_topic_attributes(TopicArn=resource.physical_id)["Attributes"]
    return {**held, "TopicName": held["TopicArn"].rpartition(":")[2]}


def topic_policy(client: Client, resource: Resource) -> Held:
    """The policy of each topic; different ones are a difference."""
    topics = resource.properties["Topics"]
    found = [client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"] for arn in topics]
    return {"Topics": topics, "PolicyDocument": _one_of([json.loads(text) for text in found])}


def _one_of(documents: list[Any]) -> Any:  # noqa: ANN401  # any JSON
    same = documents and all(document == documents[0] for document in documents)
    return documents[0] if same else documents


def subscription(client: Client, resource: Resource) -> Held:
    """Who listens to a topic."""
    wanted = resource.properties
    for entry in client("sns").list_subscriptions_by_topic(TopicArn=wanted["TopicArn"])["Subscriptions"]:
        if (entry["Protocol"], entry["Endpoint"]) == (wanted["Protocol"], wanted["Endpoint"]):
            held: Held = entry
            return held
    return {}


def queue(client: Client, resource: Resource) -> Held:
    """An SQS queue."""
    answer = client("sqs").get_queue_attributes(QueueUrl=resource.physical_id, AttributeNames=["All"])
    held = dict(answer["Attributes"])
    if "RedrivePolicy" in held:
        held["RedrivePolicy"] = json.loads(held["RedrivePolicy"])
    return {**held, "QueueName": resource.physical_id.rpartition("/")[2]}


def queue_policy(client: Client, resource: Resource) -> Held:
    """The policy of each queue; different ones are a difference."""
    sqs, urls = client("sqs"), resource.properties["Queues"]
    found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"] for url in urls]
    return {"Queues": urls, "PolicyDocument": _one_of([json.loads(text) for text in found])}


def rule(client: Client, resource: Resource) -> Held:
    """An EventBridge rule with its targets."""
    events, name = client("events"), resource.physical_id
    held = events.describe_rule(Name=name)
    pattern = held.get("EventPattern")
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    return {**held, "EventPattern": json.loads(pattern) if pattern else None, "Targets": targets}


def schedule(client: Client, resource: Resource) -> Held:
    """A schedule."""
    group = resource.properties.get("GroupName", "default")
    held: Held = client("scheduler").get_schedule(Name=resource.physical_id, GroupName=group)
    return held


def schedule_group(client: Client, resource: Resource) -> Held:
    """A group of schedules."""
    held: Held = client("scheduler").get_schedule_group(Name=resource.physical_id)
    return held


def alarm(client: Client, resource: Resource) -> Held:
    """An alarm."""
    found = client("cloudwatch").describe_alarms(AlarmNames=[resource.physical_id])["MetricAlarms"]
    return found[0] if found else {}


def dashboard(client: Client, resource: Resource) -> Held:
    """A dashboard."""
    held: Held = client("cloudwatch").get_dashboard(DashboardName=resource.physical_id)
    return held


READERS = {
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Events::Rule": rule,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::Scheduler::ScheduleGroup": schedule_group,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
}
