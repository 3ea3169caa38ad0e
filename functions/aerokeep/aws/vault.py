"""The vault: bulk of a run under ``runs/``, and recovery points whose manifest is their commit mark."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel, TypeAdapter

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.errors import ConflictError, CorruptError
from aerokeep.model.inventory import Inventory
from aerokeep.model.recovery_point import Abandonment, Manifest
from aerokeep.model.run import RunRef

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

T = TypeVar("T", bound=BaseModel)
UPLOAD_LIFE_S = 600
"""A presigned URL lives minutes: long enough for a slow host, too short to be of use to anyone else."""


class Runs:
    """The objects of a running journey: states carry ids, the bulk stands here and expires by lifecycle."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("s3"), setting("AEROKEEP_VAULT"))

    def write(self, run: RunRef, name: str, value: BaseModel | Mapping[str, Any]) -> None:
        """Write ``runs/<run>/<name>.json``; the same state's second try overwrites its first."""
        body = value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value, default=str)
        with translated("PutObject"):
            self._s3.put_object(
                Bucket=self._bucket, Key=_run_key(run, name), Body=body.encode(), ContentType="application/json"
            )

    def read(self, run: RunRef, name: str, kind: type[T]) -> T:
        """Read back what an earlier state wrote.

        Raises:
            CorruptError: it is not there.

        """
        found = self.find(run, name, kind)
        if found is None:
            raise CorruptError(f"run_object_missing: {_run_key(run, name)} was not written by the state before")
        return found

    def find(self, run: RunRef, name: str, kind: type[T]) -> T | None:
        """Like :meth:`read`, but None where there is nothing."""
        body = read_object(self._s3, self._bucket, _run_key(run, name))
        return None if body is None else TypeAdapter(kind).validate_json(body)

    def presigned_read(self, run: RunRef, name: str) -> str:
        """A URL by which a host without S3 permissions reads one object of the run."""
        return _presigned_read(self._s3, self._bucket, _run_key(run, name))


def _presigned_read(s3: "S3Client", bucket: str, key: str) -> str:
    return s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=UPLOAD_LIFE_S)


def _run_key(run: RunRef, name: str) -> str:
    return f"runs/{run.run_id}/{name}.json"


class Upload(BaseModel):
    """One file that a host is to upload: with exactly these headers, or the signature does not hold."""

    name: str
    url: str
    headers: dict[str, str]


class Points:
    """Recovery points: ``clusters/<cluster>/points/<id>/…``; the layout outlives the code."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("s3"), setting("AEROKEEP_VAULT"))

    @staticmethod
    def prefix(run: RunRef) -> str:
        """Where everything of the run's point stands."""
        return f"clusters/{run.cluster}/points/{run.point_id}"

    def upload_for(self, key: str, *, name: str, sha256_hex: str) -> Upload:
        """Sign one PUT: write-once, and only for the bytes with this checksum."""
        checksum = base64.b64encode(bytes.fromhex(sha256_hex)).decode()
        url = self._s3.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ChecksumSHA256": checksum,
                "IfNoneMatch": "*",
                "ContentType": "application/octet-stream",
            },
            ExpiresIn=UPLOAD_LIFE_S,
        )
        headers = {
            "x-amz-checksum-sha256": checksum,
            "if-none-match": "*",
            "content-type": "application/octet-stream",
        }
        return Upload(name=name, url=url, headers=headers)

    def file(self, key: str) -> bytes | None:
        """The bytes of one file of a point, or None."""
        return read_object(self._s3, self._bucket, key)

    def presigned_read(self, key: str) -> str:
        """A URL by which a host without S3 permissions reads one file of a point."""
        return _presigned_read(self._s3, self._bucket, key)

    def write(self, run: RunRef, name: str, body: bytes) -> str:
        """Write one more file of the point before its manifest → its key."""
        key = f"{self.prefix(run)}/{name}"
        with translated("PutObject"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return key

    def settle(self, run: RunRef, outcome: Manifest | Abandonment) -> Manifest | Abandonment:
        """Commit or abandon: both compete for one key, the first one wins → what stands there now.

        The caller compares: an outcome of its own execution is its own success, also after a lost response.
        """
        key = f"{self.prefix(run)}/manifest.json"
        if write_once(self._s3, self._bucket, key, outcome.model_dump_json(indent=1).encode()):
            return outcome
        standing = self.standing(run)
        if standing is None:
            raise ConflictError(f"manifest_taken: {key} was written by somebody else, but is not there")
        return standing

    def standing(self, run: RunRef) -> Manifest | Abandonment | None:
        """What the manifest's key of the run's own point holds."""
        return self.find(run.cluster, run.point_id)

    def find(self, cluster: str, point_id: str) -> Manifest | Abandonment | None:
        """What the manifest's key of any point holds."""
        body = read_object(self._s3, self._bucket, f"clusters/{cluster}/points/{point_id}/manifest.json")
        if body is None:
            return None
        return TypeAdapter[Manifest | Abandonment](Manifest | Abandonment).validate_json(body)

    def of_cluster(self, cluster: str) -> Iterator[Manifest | Abandonment]:
        """What stands under every manifest key of a cluster."""
        prefix = f"clusters/{cluster}/points/"
        with translated("ListObjectsV2"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            points = [str(one["Prefix"])[len(prefix) : -1] for page in pages for one in page.get("CommonPrefixes", [])]
        for point_id in points:
            if (standing := self.find(cluster, point_id)) is not None:
                yield standing


class Inventories:
    """What a relaunch needs of each node: ``clusters/<cluster>/inventory.json``, the newest one."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("s3"), setting("AEROKEEP_VAULT"))

    @staticmethod
    def prefix(cluster: str) -> str:
        """Where the configuration files stand that are in no recovery point."""
        return f"clusters/{cluster}/inventory"

    def newest(self, cluster: str) -> Inventory | None:
        """The inventory as it was written last, or None where there was none yet."""
        body = read_object(self._s3, self._bucket, f"{self.prefix(cluster)}.json")
        return None if body is None else Inventory.model_validate_json(body)

    def write(self, inventory: Inventory) -> None:
        """Put a newer one in its place; the bucket keeps the former version."""
        with translated("PutObject"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=f"{self.prefix(inventory.cluster)}.json",
                Body=inventory.model_dump_json(indent=1).encode(),
                ContentType="application/json",
            )


def read_object(s3: "S3Client", bucket: str, key: str) -> bytes | None:
    """The bytes of an object, or None where there is none."""
    with translated("GetObject"):
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            # S3 says so only to roles that may list the prefix; to others an absent object is AccessDenied.
            if code_of(error) in {"NoSuchKey", "404"}:
                return None
            raise


def write_once(s3: "S3Client", bucket: str, key: str, body: bytes) -> bool:
    """Write a JSON object where there is none → False where there is one already."""
    try:
        with translated("PutObject"):
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
    except ConflictError:
        return False
    return True
