"""SNS, SQS, schedules, alarms and dashboards: resources that moto's CloudFormation skips, made through their API."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.region.hooks.cloudformation import Resource

Client = Callable[[str], Any]
Apply = Callable[[Client, Resource], None]


def topic(client: Client, resource: Resource) -> None:
    """Display name and key."""
    for name in ("DisplayName", "KmsMasterKeyId"):
        if name in resource.properties:
            client("sns").set_topic_attributes(
                TopicArn=resource.physical_id, AttributeName=name, AttributeValue=resource.properties[name]
            )


def topic_policy(client: Client, resource: Resource) -> None:
    """The policy of each topic."""
    for arn in resource.properties["Topics"]:
        document = json.dumps(resource.properties["PolicyDocument"])
        client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)


def subscription(client: Client, resource: Resource) -> None:
    """Who listens to a topic."""
    wanted = resource.properties
    client("sns").subscribe(TopicArn=wanted["TopicArn"], Protocol=wanted["Protocol"], Endpoint=wanted["Endpoint"])


def queue(client: Client, resource: Resource) -> None:
    """Attributes that moto keeps only when they come through the API."""
    if "SqsManagedSseEnabled" in resource.properties:
        value = str(resource.properties["SqsManagedSseEnabled"]).lower()
        client("sqs").set_queue_attributes(QueueUrl=resource.physical_id, Attributes={"SqsManagedSseEnabled": value})


def queue_policy(client: Client, resource: Resource) -> None:
    """The policy of each queue."""
    for url in resource.properties["Queues"]:
        document = json.dumps(resource.properties["PolicyDocument"])
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})


def schedule(client: Client, resource: Resource) -> None:
    """It fires if the region's pace has a scale for schedules."""
    scheduler = client("scheduler")
    wanted = {"Name": resource.physical_id, **resource.properties}
    try:
        scheduler.create_schedule(**wanted)
    except scheduler.exceptions.ConflictException:
        scheduler.update_schedule(**wanted)


def schedule_group(client: Client, resource: Resource) -> None:
    """The group that schedules of ours are in."""
    scheduler = client("scheduler")
    groups = scheduler.list_schedule_groups(NamePrefix=resource.physical_id)["ScheduleGroups"]
    if resource.physical_id not in [group["Name"] for group in groups]:
        scheduler.create_schedule_group(Name=resource.physical_id)


def alarm(client: Client, resource: Resource) -> None:
    """An alarm; its properties have the API's names."""
    wanted = {"AlarmName": resource.physical_id, **resource.properties}
    client("cloudwatch").put_metric_alarm(**wanted)


def dashboard(client: Client, resource: Resource) -> None:
    """What people look at; nothing reads it here."""
    wanted = resource.properties
    client("cloudwatch").put_dashboard(DashboardName=resource.physical_id, DashboardBody=wanted["DashboardBody"])


def remove_schedule(client: Client, resource: Resource) -> None:
    """It fires no more."""
    group = resource.properties.get("GroupName", "default")
    client("scheduler").delete_schedule(Name=resource.physical_id, GroupName=group)


def remove_schedule_group(client: Client, resource: Resource) -> None:
    """With the schedules that are in it."""
    client("scheduler").delete_schedule_group(Name=resource.physical_id)


def remove_dashboard(client: Client, resource: Resource) -> None:
    """Gone."""
    client("cloudwatch").delete_dashboards(DashboardNames=[resource.physical_id])


def remove_alarm(client: Client, resource: Resource) -> None:
    """Nobody watches any more."""
    client("cloudwatch").delete_alarms(AlarmNames=[resource.physical_id])


APPLY: dict[str, Apply] = {
    "AWS::SNS::Topic": topic,
    "AWS::SNS::TopicPolicy": topic_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::Scheduler::ScheduleGroup": schedule_group,
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
}
REMOVE: dict[str, Apply] = {
    "AWS::Scheduler::Schedule": remove_schedule,
    "AWS::Scheduler::ScheduleGroup": remove_schedule_group,
    "AWS::CloudWatch::Alarm": remove_alarm,
    "AWS::CloudWatch::Dashboard": remove_dashboard,
}
