"""DynamoDB: the conditional writes that locks and entries of the catalog are made of."""

import threading
from typing import Any

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.made import table

API = "DynamoDB API reference"
GUIDE = "DynamoDB developer guide, Condition expressions"
LOCK: dict[str, Any] = {"pk": {"S": "cluster#demo"}, "sk": {"S": "lock"}}
REFUSED = "ConditionalCheckFailedException"
RIVALS = 8


def _take(name: str, owner: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "Key": LOCK,
        "UpdateExpression": "SET #owner = :me ADD epoch :one",
        "ConditionExpression": "attribute_not_exists(#owner)",
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": {":me": {"S": owner}, ":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }


@behaviour(
    "Of several who take a lock at once, exactly one gets it.",
    source=GUIDE,
    calls=("dynamodb.UpdateItem",),
)
def _one_owner(aws: Account) -> None:
    name, codes = table(aws), list[str]()
    threads = [
        threading.Thread(target=lambda n=n: codes.append(aws.refused("dynamodb", "update_item", **_take(name, str(n)))))
        for n in range(RIVALS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["", *[REFUSED] * (RIVALS - 1)]


@behaviour(
    "A counter goes on where a lock was released, and only its owner releases it.",
    source=f"{API}, UpdateItem",
    calls=("dynamodb.UpdateItem", "dynamodb.GetItem"),
)
def _epochs(aws: Account) -> None:
    name, dynamodb = table(aws), aws.client("dynamodb")
    assert dynamodb.update_item(**_take(name, "first"))["Attributes"]["epoch"] == {"N": "1"}
    release = {
        "TableName": name,
        "Key": LOCK,
        "UpdateExpression": "REMOVE #owner",
        "ConditionExpression": "#owner = :me AND epoch = :epoch",
        "ExpressionAttributeNames": {"#owner": "owner"},
    }
    wrong = {":me": {"S": "second"}, ":epoch": {"N": "1"}}
    assert aws.refused("dynamodb", "update_item", **release, ExpressionAttributeValues=wrong) == REFUSED
    dynamodb.update_item(**release, ExpressionAttributeValues={**wrong, ":me": {"S": "first"}})
    assert dynamodb.update_item(**_take(name, "second"))["Attributes"]["epoch"] == {"N": "2"}
    held = dynamodb.get_item(TableName=name, Key=LOCK, ConsistentRead=True)["Item"]
    assert held == {**LOCK, "owner": {"S": "second"}, "epoch": {"N": "2"}}


@behaviour(
    "An entry is written once, and again only by the execution that wrote it.",
    source=f"{GUIDE}; {API}, PutItem",
    calls=("dynamodb.PutItem", "dynamodb.GetItem"),
)
def _entries(aws: Account) -> None:
    name = table(aws)

    def put(execution: str) -> str:
        return aws.refused(
            "dynamodb",
            "put_item",
            TableName=name,
            Item={**LOCK, "execution": {"S": execution}},
            ConditionExpression="attribute_not_exists(pk) OR execution = :me",
            ExpressionAttributeValues={":me": {"S": execution}},
        )

    assert [put("first"), put("second"), put("first")] == ["", REFUSED, ""]
    assert "Item" not in aws.client("dynamodb").get_item(TableName=name, Key={**LOCK, "sk": {"S": "other"}})


@behaviour(
    "A query gives the items of one partition whose sort key begins so, backwards if wanted; what a filter leaves out "
    "counts towards a page all the same.",
    source=f"{API}, Query; developer guide, Query operations",
    calls=("dynamodb.Query", "dynamodb.PutItem"),
)
def _queries(aws: Account) -> None:
    name, dynamodb = table(aws), aws.client("dynamodb")
    for number in range(1, 6):
        state = "committed" if number % 2 else "abandoned"
        dynamodb.put_item(TableName=name, Item={**LOCK, "sk": {"S": f"point#{number}"}, "state": {"S": state}})
    dynamodb.put_item(TableName=name, Item={**LOCK, "sk": {"S": "timing#1"}})
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "cluster#other"}, "sk": {"S": "point#9"}})
    asked: dict[str, Any] = {
        "TableName": name,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :point)",
        "ExpressionAttributeValues": {":pk": LOCK["pk"], ":point": {"S": "point#"}},
        "ScanIndexForward": False,
    }
    assert _keys(dynamodb.query(**asked)) == ["point#5", "point#4", "point#3", "point#2", "point#1"]
    assert _keys(dynamodb.query(**asked, Limit=2)) == ["point#5", "point#4"]
    asked["ExpressionAttributeValues"][":committed"] = {"S": "committed"}
    pages = dynamodb.get_paginator("query").paginate(
        **asked,
        FilterExpression="#state = :committed",
        ExpressionAttributeNames={"#state": "state"},
        PaginationConfig={"PageSize": 2},
    )
    found = [_keys(page) for page in pages]
    assert found[:3] == [["point#5"], ["point#3"], ["point#1"]]


def _keys(page: dict[str, Any]) -> list[str]:
    return [item["sk"]["S"] for item in page["Items"]]
