"""The catalog: cluster locks with a fencing epoch, and the index of recovery points. Rebuildable from the vault."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.errors import ConflictError
from aerokeep.model.run import RunRef
from aerokeep.model.wire import iso

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


class Catalog:
    """One table: ``pk`` = ``cluster#<name>``, ``sk`` = ``lock`` or ``point#<id>``."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("dynamodb"), setting("AEROKEEP_CATALOG"))

    # -- locks

    def acquire(self, run: RunRef) -> RunRef:
        """Take the cluster's lock for this execution → the run with its epoch; asking twice changes nothing.

        Raises:
            ConflictError: another execution holds it.

        """
        try:
            with translated("UpdateItem lock"):
                reply = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, "lock"),
                    UpdateExpression="SET #owner = :me, #run = :run, journey = :journey, #state = :held, "
                    "acquired_at = :now ADD epoch :one",
                    ConditionExpression="attribute_not_exists(#owner)",
                    ExpressionAttributeNames={"#owner": "owner", "#run": "run", "#state": "state"},
                    ExpressionAttributeValues={
                        ":me": {"S": run.execution},
                        ":run": {"S": run.run_id},
                        ":journey": {"S": run.journey},
                        ":held": {"S": "held"},
                        ":now": {"S": iso(run.started_at)},
                        ":one": {"N": "1"},
                    },
                    ReturnValues="ALL_NEW",
                )
        except ConflictError:
            held = self.lock(run.cluster)
            if held is None or held.execution != run.execution:
                raise ConflictError(_busy(run.cluster, held)) from None
            return held
        return run.model_copy(update={"epoch": int(reply["Attributes"]["epoch"]["N"])})

    def lock(self, cluster: str) -> RunRef | None:
        """The run that holds the cluster, or None."""
        item = self._item(cluster, "lock")
        if item is None or "owner" not in item:
            return None
        return RunRef(
            cluster=cluster,
            journey=item["journey"]["S"],
            run_id=item["run"]["S"],
            epoch=int(item["epoch"]["N"]),
            execution=item["owner"]["S"],
            started_at=datetime.fromisoformat(item["acquired_at"]["S"]),
        )

    def require(self, run: RunRef, *, busy_until: datetime | None = None) -> None:
        """Before every mutating call: this run still holds the lock, under the same epoch.

        Args:
            run: the caller's run.
            busy_until: until when a stopped execution's Lambda may still be acting; the guardian waits it out.

        Raises:
            ConflictError: the lock was taken away; nothing may be changed any more.

        """
        names, values = {"#owner": "owner"}, {":me": {"S": run.execution}, ":epoch": {"N": str(run.epoch)}}
        if busy_until is None:
            item = self._item(run.cluster, "lock") or {}
            if item.get("owner") == values[":me"] and item.get("epoch") == values[":epoch"]:
                return
            raise ConflictError(f"lock_lost: {run.run_id} no longer holds cluster {run.cluster}")
        try:
            with translated("UpdateItem lock"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, "lock"),
                    UpdateExpression="SET busy_until = :until",
                    ConditionExpression="#owner = :me AND epoch = :epoch",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={**values, ":until": {"S": busy_until.isoformat()}},
                )
        except ConflictError as error:
            raise ConflictError(f"lock_lost: {run.run_id} no longer holds cluster {run.cluster}") from error

    def release(self, run: RunRef) -> bool:
        """Let go of the lock → False if it was not ours (any more); the epoch stays, so that it never repeats."""
        with translated("UpdateItem lock"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, "lock"),
                    UpdateExpression="REMOVE #owner, #run, journey, #state, acquired_at, busy_until",
                    ConditionExpression="#owner = :me AND epoch = :epoch",
                    ExpressionAttributeNames={"#owner": "owner", "#run": "run", "#state": "state"},
                    ExpressionAttributeValues={":me": {"S": run.execution}, ":epoch": {"N": str(run.epoch)}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    # -- points

    def point(self, cluster: str, point_id: str) -> dict[str, str] | None:
        """The index entry of a point (any state), or None."""
        item = self._item(cluster, f"point#{point_id}")
        return None if item is None else {name: str(next(iter(value.values()))) for name, value in item.items()}

    def announce(self, run: RunRef) -> bool:
        """Reserve the point id for this execution → False if another execution did so before."""
        item: Item = {
            **_key(run.cluster, f"point#{run.point_id}"),
            "state": {"S": "running"},
            "execution": {"S": run.execution},
            "started_at": {"S": iso(run.started_at)},
        }
        with translated("PutItem point"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(pk) OR execution = :me",
                    ExpressionAttributeValues={":me": {"S": run.execution}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def record(self, run: RunRef, *, state: str, details: dict[str, str]) -> None:
        """Write the point's final index entry; the vault's manifest remains the truth."""
        item: Item = {
            **_key(run.cluster, f"point#{run.point_id}"),
            "state": {"S": state},
            "execution": {"S": run.execution},
            "started_at": {"S": iso(run.started_at)},
            **{name: {"S": value} for name, value in details.items()},
        }
        with translated("PutItem point"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def _item(self, cluster: str, sort: str) -> Item | None:
        with translated("GetItem"):
            reply = self._dynamodb.get_item(TableName=self._table, Key=_key(cluster, sort), ConsistentRead=True)
        return reply.get("Item")


def _key(cluster: str, sort: str) -> Item:
    return {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": sort}}


def _busy(cluster: str, held: RunRef | None) -> str:
    if held is None:
        return f"cluster_busy: cluster {cluster} was just released by another execution: start again"
    return (
        f"cluster_busy: cluster {cluster} is held by {held.journey} {held.run_id} since {iso(held.started_at)} "
        f"({held.execution}): wait for it, or stop it and let the guardian release the lock"
    )
