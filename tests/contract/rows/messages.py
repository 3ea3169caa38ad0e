"""SNS and SQS: what is published reaches every subscriber, and a queue gives a message until it is deleted."""

import json

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import a_name, next_message, queue, received


@behaviour(
    "What is published to a topic reaches each of its queues, with its subject.",
    source="SNS API reference, Publish; SNS developer guide, Fanout to SQS queues",
    calls=("sns.Publish",),
)
def _published(aws: Account) -> None:
    sns, queues = aws.client("sns"), [queue(aws) for _ in range(2)]
    topic = sns.create_topic(Name=a_name())["TopicArn"]
    aws.later(lambda: sns.delete_topic(TopicArn=topic))
    for _, arn in queues:
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Subject="halted", Message="cluster demo")
    told = [json.loads(next_message(aws, url)["Body"]) for url, _ in queues]
    assert [(one["Subject"], one["Message"]) for one in told] == [("halted", "cluster demo")] * 2


@behaviour(
    "SNS refuses a topic that does not exist, and a subject of more than 100 characters.",
    source="SNS API reference, Publish",
    calls=("sns.Publish",),
)
def _refused(aws: Account) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name=a_name())["TopicArn"]
    aws.later(lambda: sns.delete_topic(TopicArn=topic))
    assert aws.refused("sns", "publish", TopicArn=f"{topic}-not", Message="m") in ("NotFound", "NotFoundException")
    assert aws.refused("sns", "publish", TopicArn=topic, Subject="x" * 101, Message="m") == "InvalidParameter"


@behaviour(
    "A queue keeps a message and its attributes until it is deleted.",
    source="SQS API reference, SendMessage, ReceiveMessage and DeleteMessage",
)
def _kept(aws: Account) -> None:
    url, _ = queue(aws)
    attributes = {"ERROR_CODE": {"DataType": "String", "StringValue": "AccessDenied"}}
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="lost", MessageAttributes=attributes)
    message = next_message(aws, url)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDenied"
    assert received(aws, url) == []
