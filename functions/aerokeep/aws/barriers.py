"""Where clusters make their cuts known to each other: one item of the catalog, since they all share one bucket."""

from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError
from pydantic import RootModel

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.barrier import Barrier, Ledger

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEY = {"pk": {"S": "account"}, "sk": {"S": "barriers"}}


class _Barriers(RootModel[tuple[Barrier, ...]]):
    """As they stand in the item."""


class Barriers:
    """``pk`` = ``account``, ``sk`` = ``barriers``."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("dynamodb"), setting("AEROKEEP_CATALOG"))

    def read(self) -> Ledger:
        """What stands there now."""
        with translated("GetItem barriers"):
            reply = self._dynamodb.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True)
        item = reply.get("Item")
        if item is None:
            return Ledger()
        barriers = _Barriers.model_validate_json(item["barriers"]["S"]).root
        return Ledger(version=int(item["version"]["N"]), barriers=barriers)

    def write(self, ledger: Ledger) -> bool:
        """Put a newer one in the place of the version that was read → False if somebody was quicker."""
        with translated("UpdateItem barriers"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_KEY,
                    UpdateExpression="SET barriers = :barriers, version = :next",
                    ConditionExpression="attribute_not_exists(version) OR version = :read",
                    ExpressionAttributeValues={
                        ":barriers": {"S": _Barriers(ledger.barriers).model_dump_json()},
                        ":read": {"N": str(ledger.version)},
                        ":next": {"N": str(ledger.version + 1)},
                    },
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True
