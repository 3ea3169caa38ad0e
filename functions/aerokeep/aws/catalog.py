"""The catalog: cluster locks with a fencing epoch, and the index of recovery points. Rebuildable from the vault."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.consistency import Consistency
from aerokeep.model.errors import ConflictError
from aerokeep.model.recovery_point import PointEntry
from aerokeep.model.replacement import LastReplacement
from aerokeep.model.run import LockState, RunRef
from aerokeep.model.wire import iso

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
LONGEST_REASON = 2000
POINTS_PER_PAGE = 50
_NAMES = {"#owner": "owner", "#run": "run", "#state": "state", "#request": "request"}
"""DynamoDB reserves some of these words (``request`` among them)."""


LANES = ("lock", "export-lock")
"""The locks of a cluster. An export only reads, for hours: backups, and above all a restore, don't wait for it."""


class Catalog:
    """One table: ``pk`` = ``cluster#<name>``; ``sk`` = a lane, ``point#<id>``, ``export#<id>`` or ``replacement``."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("dynamodb"), setting("AEROKEEP_CATALOG"))

    # -- locks

    def acquire(self, run: RunRef, *, request: str = "") -> RunRef:
        """Take the cluster's lock for this execution → the run with its epoch; asking twice changes nothing.

        A lock that was halted is taken over by an execution of the same journey with the same ``request``: it goes on
        with the run that was halted, under a new epoch.

        Raises:
            ConflictError: another execution holds it, or it is halted and this is another request.

        """
        try:
            with translated("UpdateItem lock"):
                reply = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, lane_of(run.journey)),
                    UpdateExpression="SET #owner = :me, #run = :run, journey = :journey, #state = :held, "
                    "acquired_at = :now, #request = :request ADD epoch :one",
                    ConditionExpression="attribute_not_exists(#owner)",
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues={
                        ":me": {"S": run.execution},
                        ":run": {"S": run.run_id},
                        ":journey": {"S": run.journey},
                        ":held": {"S": "held"},
                        ":now": {"S": iso(run.started_at)},
                        ":request": {"S": request},
                        ":one": {"N": "1"},
                    },
                    ReturnValues="ALL_NEW",
                )
        except ConflictError:
            return self._held_or_taken_over(run, request)
        return run.model_copy(update={"epoch": int(reply["Attributes"]["epoch"]["N"])})

    def _held_or_taken_over(self, run: RunRef, request: str) -> RunRef:
        held = self.standing(run.cluster, lane=lane_of(run.journey))
        if held is not None and held.run.execution == run.execution:
            return held.run
        if held is None or held.state != "halted" or held.run.journey != run.journey:
            raise ConflictError(_busy(run.cluster, held))
        try:
            with translated("UpdateItem lock"):
                reply = self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, lane_of(run.journey)),
                    UpdateExpression="SET #owner = :me, #state = :held REMOVE reason, busy_until ADD epoch :one",
                    ConditionExpression="epoch = :epoch AND #state = :halted AND #request = :request",
                    ExpressionAttributeNames={"#owner": "owner", "#state": "state", "#request": "request"},
                    ExpressionAttributeValues={
                        ":me": {"S": run.execution},
                        ":held": {"S": "held"},
                        ":halted": {"S": "halted"},
                        ":epoch": {"N": str(held.run.epoch)},
                        ":request": {"S": request},
                        ":one": {"N": "1"},
                    },
                    ReturnValues="ALL_NEW",
                )
        except ConflictError as error:
            raise ConflictError(_busy(run.cluster, held)) from error
        epoch = int(reply["Attributes"]["epoch"]["N"])
        return held.run.model_copy(update={"epoch": epoch, "execution": run.execution})

    def lock(self, cluster: str, *, lane: str = "lock") -> RunRef | None:
        """The run that holds the cluster (or was halted with it), or None."""
        standing = self.standing(cluster, lane=lane)
        return None if standing is None else standing.run

    def standing(self, cluster: str, *, lane: str = "lock") -> LockState | None:
        """The lock with all that is known of it, or None."""
        item = self._item(cluster, lane)
        if item is None or "owner" not in item:
            return None
        run = RunRef(
            cluster=cluster,
            journey=item["journey"]["S"],
            run_id=item["run"]["S"],
            epoch=int(item["epoch"]["N"]),
            execution=item["owner"]["S"],
            started_at=datetime.fromisoformat(item["acquired_at"]["S"]),
        )
        busy_until = item.get("busy_until")
        return LockState(
            run=run,
            state="halted" if item["state"]["S"] == "halted" else "held",
            reason=item.get("reason", {}).get("S", ""),
            busy_until=None if busy_until is None else datetime.fromisoformat(busy_until["S"]),
        )

    def halt(self, run: RunRef, *, reason: str) -> bool:
        """Keep the cluster locked for a run whose execution ends half done → False if it did not hold the lock.

        The epoch grows: whatever of that execution still runs loses the lock at once.
        """
        with translated("UpdateItem lock"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, lane_of(run.journey)),
                    UpdateExpression="SET #state = :halted, reason = :reason ADD epoch :one",
                    ConditionExpression="#owner = :me AND epoch = :epoch",
                    ExpressionAttributeNames={"#owner": "owner", "#state": "state"},
                    ExpressionAttributeValues={
                        ":halted": {"S": "halted"},
                        ":reason": {"S": reason[:LONGEST_REASON]},
                        ":me": {"S": run.execution},
                        ":epoch": {"N": str(run.epoch)},
                        ":one": {"N": "1"},
                    },
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

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
            item = self._item(run.cluster, lane_of(run.journey)) or {}
            if item.get("owner") == values[":me"] and item.get("epoch") == values[":epoch"]:
                return
            raise ConflictError(f"lock_lost: {run.run_id} no longer holds cluster {run.cluster}")
        try:
            with translated("UpdateItem lock"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=_key(run.cluster, lane_of(run.journey)),
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
                    Key=_key(run.cluster, lane_of(run.journey)),
                    UpdateExpression="REMOVE #owner, #run, journey, #state, acquired_at, busy_until, #request, reason",
                    ConditionExpression="#owner = :me AND epoch = :epoch",
                    ExpressionAttributeNames=_NAMES,
                    ExpressionAttributeValues={":me": {"S": run.execution}, ":epoch": {"N": str(run.epoch)}},
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    # -- points and exports

    def entry(self, run: RunRef) -> dict[str, str] | None:
        """The index entry of what a run makes (any state), or None."""
        item = self._item(run.cluster, _made_by(run))
        return None if item is None else {name: str(next(iter(value.values()))) for name, value in item.items()}

    def announce(self, run: RunRef) -> bool:
        """Reserve the id of what is made for this execution → False if another execution did so before."""
        item: Item = {
            **_key(run.cluster, _made_by(run)),
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
        """Write the final index entry; the vault's manifest remains the truth."""
        item: Item = {
            **_key(run.cluster, _made_by(run)),
            "state": {"S": state},
            "execution": {"S": run.execution},
            "started_at": {"S": iso(run.started_at)},
            **{name: {"S": value} for name, value in details.items()},
        }
        with translated("PutItem point"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def committed(self, cluster: str) -> Iterator[PointEntry]:
        """The recovery points that exist, the newest first."""
        with translated("Query"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :point)",
                FilterExpression="#state = :committed",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={
                    ":pk": {"S": f"cluster#{cluster}"},
                    ":point": {"S": "point#"},
                    ":committed": {"S": "committed"},
                },
                ScanIndexForward=False,
                PaginationConfig={"PageSize": POINTS_PER_PAGE},
            )
            for page in pages:
                for item in page["Items"]:
                    yield PointEntry(
                        point_id=item["sk"]["S"].removeprefix("point#"),
                        started_at=datetime.fromisoformat(item["started_at"]["S"]),
                        consistency=Consistency(item["consistency"]["S"]),
                    )

    # -- replacements

    def last_replacement(self, cluster: str) -> LastReplacement | None:
        """The cluster's last replacement of a node, or None."""
        item = self._item(cluster, "replacement")
        if item is None:
            return None
        return LastReplacement(
            node_id=item["node"]["S"], run_id=item["run"]["S"], at=datetime.fromisoformat(item["at"]["S"])
        )

    def record_replacement(self, run: RunRef, *, node_id: str, at: datetime) -> None:
        """Say that a node was replaced: from now on the cluster cools down."""
        item: Item = {
            **_key(run.cluster, "replacement"),
            "node": {"S": node_id},
            "run": {"S": run.run_id},
            "at": {"S": at.isoformat()},
        }
        with translated("PutItem replacement"):
            self._dynamodb.put_item(TableName=self._table, Item=item)

    def _item(self, cluster: str, sort: str) -> Item | None:
        with translated("GetItem"):
            reply = self._dynamodb.get_item(TableName=self._table, Key=_key(cluster, sort), ConsistentRead=True)
        return reply.get("Item")


def _key(cluster: str, sort: str) -> Item:
    return {"pk": {"S": f"cluster#{cluster}"}, "sk": {"S": sort}}


def lane_of(journey: str) -> str:
    """Which of a cluster's locks a journey takes."""
    return "export-lock" if journey == "export" else "lock"


def _made_by(run: RunRef) -> str:
    """The index entry of the recovery point, or of the export, that a run makes under its own id."""
    return f"{'export' if run.journey == 'export' else 'point'}#{run.run_id}"


def _busy(cluster: str, held: LockState | None) -> str:
    if held is None:
        return f"cluster_busy: cluster {cluster} was just released by another execution: start again"
    run = held.run
    by = f"{run.journey} {run.run_id} since {iso(run.started_at)} ({run.execution})"
    if held.state == "halted":
        return (
            f"cluster_halted: cluster {cluster} was left half done by {by}: {held.reason}: "
            "start that journey with the same input again, or go on by the runbook"
        )
    return (
        f"cluster_busy: cluster {cluster} is held by {by}: "
        "wait for it, or stop it and let the guardian release the lock"
    )
