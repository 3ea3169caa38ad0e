"""EC2: the cut of one instance, by a connection that was opened before."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from typing import TYPE_CHECKING, Self

from botocore.exceptions import ClientError, HTTPClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, known, translated
from aerokeep.aws.tags import tag_list
from aerokeep.model.errors import AerokeepError
from aerokeep.model.plan import NodePlan

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client


class DoubtfulCutError(Exception):
    """No clear answer came: the set may or may not exist. Look up by tag; never call again blindly."""

    def __init__(self, detail: str, *, answered: bool) -> None:
        super().__init__(detail)
        self.answered = answered
        """AWS said something, such as that it is overloaded."""


class RefusedCutError(Exception):
    """AWS said no: there is no set."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Cutter:
    """CreateSnapshots: one attempt, since it has no ClientToken and a second call makes a second set (aws.md §0.1)."""

    def __init__(self, connect: "Callable[[], EC2Client]") -> None:
        self._connect = connect
        self._shared = connect()
        self._lines: list[EC2Client] = []
        self._line_of: dict[str, EC2Client] = {}

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(lambda: client("ec2", attempts=1, read_timeout_s=20))

    def warm(self, instance_ids: Sequence[str], *, until: datetime, clock: Callable[[], datetime]) -> list[str]:
        """Open a connection for each instance and sign one call by it, so that the cut waits for neither.

        A pool can't be warmed for certain: a connection that answers quickly is taken for the next call too, and at the
        cut, when all are needed at once, the others would still have to be opened. So each instance has a client of its
        own, as far as there is time; the others share one. No cut fails, or waits, because of one that hangs here.

        Returns:
            Why connections are not warm.

        """
        self._assign(instance_ids, may_go_on=lambda: clock() < until)
        pool = ThreadPoolExecutor(max_workers=max(len(instance_ids), 1))
        try:
            warming = [pool.submit(self._warm, instance_id) for instance_id in instance_ids]
            wait(warming, timeout=max(0.0, (until - clock()).total_seconds()))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        told = [one.result() if one.done() and not one.cancelled() else "not answered in time" for one in warming]
        return [trouble for trouble in told if trouble is not None]

    def _assign(self, instance_ids: Sequence[str], *, may_go_on: Callable[[], bool]) -> None:
        self._line_of = {}
        for number, instance_id in enumerate(instance_ids):
            if number == len(self._lines):
                if not may_go_on():
                    break
                self._lines.append(self._connect())
            self._line_of[instance_id] = self._lines[number]

    def _warm(self, instance_id: str) -> str | None:
        try:
            with known(), translated("DescribeInstances"):
                self._line(instance_id).describe_instances(InstanceIds=[instance_id])
        except AerokeepError as error:
            return str(error)
        return None

    def _line(self, instance_id: str) -> "EC2Client":
        return self._line_of.get(instance_id, self._shared)

    def cut(self, node: NodePlan, *, tags: Mapping[str, str]) -> dict[str, str]:
        """Cut all planned volumes of one instance at one instant → volume id → snapshot id.

        Raises:
            DoubtfulCutError: timeout, broken connection, throttle or server fault.
            RefusedCutError: any other answer of AWS.

        """
        try:
            reply = self._line(node.instance_id).create_snapshots(
                InstanceSpecification={
                    "InstanceId": node.instance_id,
                    "ExcludeBootVolume": node.exclude_boot,
                    "ExcludeDataVolumeIds": list(node.exclude_volume_ids),
                },
                Description=f"Aerokeep {tags.get('aerokeep:point', '')}",
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": tag_list(tags)}],
            )
        except ClientError as error:
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if status >= 500:  # noqa: PLR2004 - HTTP: the server does not know either
                raise DoubtfulCutError(f"{code_of(error)}: {error}", answered=True) from error
            raise RefusedCutError(code_of(error), str(error)) from error
        except HTTPClientError as error:
            raise DoubtfulCutError(str(error), answered=False) from error
        return {str(s["VolumeId"]): str(s["SnapshotId"]) for s in reply["Snapshots"]}
