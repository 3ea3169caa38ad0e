"""How long the write stops of a cluster took, one item of the catalog per try."""

from typing import TYPE_CHECKING, Any, Self

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import known, translated
from aerokeep.model.errors import AerokeepError
from aerokeep.model.run import RunRef
from aerokeep.model.timing import Timing

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MOST_READ = 200
_PREFIX = "timing#"


class Timings:
    """``pk`` = ``cluster#<name>``, ``sk`` = ``timing#<run>`` or ``timing#<run>-2``: in the order of time."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container; one short try, since a cluster may be waiting with its writes stopped."""
        return cls(client("dynamodb", attempts=1, read_timeout_s=1), setting("AEROKEEP_CATALOG"))

    def newest(self, cluster: str) -> list[Timing]:
        """The newest tries, the last one first."""
        with translated("Query timings"):
            reply = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :cluster AND begins_with(sk, :timing)",
                ExpressionAttributeValues={":cluster": {"S": f"cluster#{cluster}"}, ":timing": {"S": _PREFIX}},
                ScanIndexForward=False,
                Limit=MOST_READ,
            )
        return [_timing(item) for item in reply["Items"]]

    def record(self, run: RunRef, timing: Timing) -> str | None:
        """Keep what is known of a try; what was kept of it before stays → why that failed, else None.

        It never raises: no cut and no resumption fails because of a statistic.
        """
        values = {name: value for name, value in timing.model_dump().items() if value is not None}
        if not values:
            return None
        try:
            with known(), translated("UpdateItem timing"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": f"cluster#{run.cluster}"}, "sk": {"S": f"{_PREFIX}{run.stop_id}"}},
                    UpdateExpression=f"SET {', '.join(f'{n} = if_not_exists({n}, :{n})' for n in values)}",
                    ExpressionAttributeValues={f":{name}": {"N": f"{value:.3f}"} for name, value in values.items()},
                )
        except AerokeepError as error:
            return str(error)
        return None


def _timing(item: dict[str, Any]) -> Timing:
    return Timing(**{name: float(item[name]["N"]) for name in Timing.model_fields if name in item})
